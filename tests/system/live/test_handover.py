"""Handovers on real Xen while things break: an agent killed, a cloud VM killed, a link cut, each at every point of a move.

Afterwards exactly one copy runs, it answers and is no younger than before, nothing else of it is left, and no hand was needed.
FLEXCAPSULE_MOVES=N tries N points of each kind (4 by default: a short form for CI); FLEXCAPSULE_MOVES=99 tries all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from handover_stage import Stage

pytestmark = pytest.mark.system

POINTS = int(os.environ.get("FLEXCAPSULE_MOVES", "4"))
LEAVING = (
    "prepared", "offered", "berth made", "streaming", "suspend asked", "suspended", "sent", "permitted",
    "permission sent", "accepted", "done",
)  # fmt: skip
ARRIVING = (
    "noted", "berth made", "berth said", "filling", "filled", "introduced", "permission heard",
    "permission noted", "started", "accepted said", "running noted",
)  # fmt: skip
BOTH = tuple(("leaving", point) for point in LEAVING) + tuple(("arriving", point) for point in ARRIVING)


def some(points):
    """At most POINTS of them, evenly, the last among them: the short form sees the beginning, the middle and the end."""
    count = min(POINTS, len(points))
    return [points[(i + 1) * len(points) // count - 1] for i in range(count)]


@pytest.fixture(scope="module")
def stage(lab, built, tmp_path_factory) -> Iterator[Stage]:
    made = Stage(lab, built, tmp_path_factory.mktemp("stage"))
    try:
        yield made
    finally:
        made.end()


def test_it_moves_there_and_back(stage) -> None:
    before = stage.age()
    for _ in range(2):
        stage.send()
        sent = stage.source.await_word("sent", "failed")
        assert "sent" in sent, sent
        assert 0 < sent["downtime_s"] < sent["total_s"]
        stage.await_exactly_one()
    assert stage.age() > before


@pytest.mark.parametrize(
    ("side", "point"), some(tuple(("leaving", p) for p in LEAVING)) + some(tuple(("arriving", p) for p in ARRIVING))
)
def test_an_agent_is_killed(stage, side: str, point: str) -> None:
    before = stage.age()
    victim = stage.side(side)
    victim.arm("die", f"{side}:{point}")
    stage.send()
    victim.await_word("gone")
    stage.start(victim.name)
    stage.await_exactly_one()
    assert stage.age() >= before


@pytest.mark.parametrize(("side", "point"), some(BOTH))
def test_the_link_is_cut_and_comes_back(stage, side: str, point: str) -> None:
    before, cut = stage.age(), stage.target.name
    holding = stage.side(side)
    holding.arm("hold", f"{side}:{point}")
    source = stage.source
    stage.send()
    holding.await_word("holding")
    stage.link(cut, "down")
    try:
        stage.await_at_most_one()
    finally:
        stage.link(cut, "up")
    source.await_word("sent", "failed")
    stage.await_exactly_one()
    assert stage.age() >= before


@pytest.mark.parametrize("point", some(LEAVING))
def test_the_cloud_vm_it_goes_to_is_killed_and_another_boots_in_its_place(stage, point: str) -> None:
    before, source, dead = stage.age(), stage.source, stage.target.name
    source.arm("hold", f"leaving:{point}")
    stage.send()
    source.await_word("holding")
    stage.kill_cloud_vm(dead)
    stage.boot_cloud_vm(dead)
    said = source.await_word("sent", "failed")
    if "sent" in said:  # it had been accepted, and ran there when its cloud VM died: it died with it
        assert point in ("accepted", "done")
        stage.again()
        return
    stage.await_exactly_one()
    assert stage.where == source.name
    assert stage.age() >= before
