"""The plan checker finds what could go wrong under some order of ends, and is silent about the planner's own plans."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from clusters import app, cluster, snapshot

from autoscaler.core.effect import Effect, Relocation
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Migrate, Plan, ReleaseCloudVM
from autoscaler.packing.plan_checker import _most, cost, faults
from autoscaler.packing.problem import Problem


def swapped() -> tuple[Snapshot, Plan]:
    """a and b change places over a third cloud VM: there is no room for both on either."""
    here = snapshot(cluster({"c1": [app("a", 1500)], "c2": [app("b", 1500)], "c3": [app("x", 100)]}))
    effect = Effect(moves=(Relocation("a", "c1", "c2"), Relocation("b", "c2", "c1")))
    return here, make_plan("p", "d", here, (effect,), {}, Limits())


def drained() -> tuple[Snapshot, Plan]:
    here = snapshot(cluster({"c1": ["a", "b"], "c2": ["c"]}))
    effect = Effect(moves=(Relocation("c", "c2", "c1"),), releases=("c2",))
    return here, make_plan("p", "d", here, (effect,), {}, Limits())


@pytest.mark.parametrize("made", [swapped, drained])
def test_the_planners_plans_are_found_safe(made) -> None:
    here, plan = made()
    assert plan.steps
    assert faults(here, plan) == ()


def test_an_arrival_that_does_not_wait_for_room_is_found() -> None:
    here, plan = swapped()
    hasty = replace(plan, steps=tuple(replace(step, requires=()) for step in plan.steps))
    assert any("may hold" in fault for fault in faults(here, hasty))


def test_a_release_that_does_not_wait_is_found() -> None:
    here, plan = drained()
    hasty = replace(plan, steps=tuple(replace(step, requires=()) for step in plan.steps))
    assert any("may be released while c is on it" in fault for fault in faults(here, hasty))


def test_a_target_that_is_not_there_and_a_broken_pin_are_found() -> None:
    here = snapshot(cluster({"c1": [app("a", pinned_to="c1")], "c2": ["b"]}))
    _, plan = drained()
    step = replace(plan.steps[0], action=Migrate("a", "c1", "c9"), requires=())
    assert any("which there is not" in fault for fault in faults(here, replace(plan, steps=(step,))))
    step = replace(step, action=Migrate("a", "c1", "c2"))
    assert any("is pinned to c1" in fault for fault in faults(here, replace(plan, steps=(step,))))


def test_a_dropped_step_is_found() -> None:
    """Whatever a later step waits for must be in the plan; without the parking move there is no room."""
    here, plan = swapped()
    assert len(plan.steps) == 3
    for dropped in plan.steps:
        rest = tuple(
            replace(step, requires=tuple(name for name in step.requires if name != dropped.id))
            for step in plan.steps
            if step is not dropped
        )
        left = faults(here, replace(plan, steps=rest))
        assert left or dropped is plan.steps[-1]


def test_who_arrives_only_after_somebody_left_is_not_counted_beside_him() -> None:
    """c takes in b, and then, for a leaves, x: never a, b and x at once."""
    here = snapshot(cluster({"c1": [app("a", 1000)], "c2": [app("b", 600), app("x", 900)], "c3": ["y"]}))
    steps = swapped()[1].steps
    to, off, last = (replace(step, id=f"s{number}") for number, step in enumerate(steps))
    to = replace(to, action=Migrate("b", "c2", "c1"), requires=())
    off = replace(off, action=Migrate("a", "c1", "c3"), requires=())
    last = replace(last, action=Migrate("x", "c2", "c1"), requires=(off.id,))
    assert faults(here, replace(swapped()[1], steps=(to, off, last))) == ()
    hasty = replace(last, requires=())
    assert any("c1 may hold" in fault for fault in faults(here, replace(swapped()[1], steps=(to, off, hasty))))


def by_trying(arriving: dict[str, int], leaving: dict[str, int], before: dict[str, frozenset[str]]) -> int:
    """Over all sets of arrivals: what they bring, less all that they waited for."""
    best = 0
    for count in range(len(arriving) + 1):
        for chosen in itertools.combinations(arriving, count):
            gone = {other for step in chosen for other in before[step] if other in leaving}
            best = max(best, sum(arriving[step] for step in chosen) - sum(leaving[step] for step in gone))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_the_fullest_instant_is_what_trying_all_finds(seed: int) -> None:
    luck = np.random.default_rng(seed)
    arriving = {f"a{n}": int(luck.integers(1, 50)) for n in range(int(luck.integers(1, 8)))}
    leaving = {f"d{n}": int(luck.integers(1, 50)) for n in range(int(luck.integers(0, 6)))}
    before = {step: frozenset(d for d in leaving if luck.random() < 0.4) for step in arriving}
    assert _most(arriving, leaving, before)[0] == by_trying(arriving, leaving, before)


def priced(here: Snapshot) -> Problem:
    """Cloud VMs for 1 each, moves for 0.1 each."""
    nothing, bins, items, sizes = (
        np.zeros(0, dtype=np.int64),
        len(here.cloud_vms),
        len(here.app_vms),
        len(here.catalogue),
    )
    return Problem(
        demand=np.ones((items, 1)),
        present=np.zeros(items, dtype=np.int64),
        move_cost=np.full(items, 0.1),
        bin_capacity=np.ones((bins, 1)),
        bin_price=np.ones(bins),
        closed=np.zeros(bins, dtype=bool),
        fixed=np.zeros(bins, dtype=bool),
        size_capacity=np.ones((sizes, 1)),
        size_price=np.ones(sizes),
        size_limit=np.full(sizes, items),
        pinned=np.full(items, -1),
        tenant=np.full(items, -1),
        apart=nothing.reshape(0, 2),
    )


def test_what_a_plan_comes_to_is_read_off_its_steps() -> None:
    """Who is parked moves once; what is released is not paid for."""
    here, plan = swapped()
    assert cost(here, plan, priced(here), np.arange(3)) == pytest.approx(3 + 0.2)
    here, plan = drained()
    assert cost(here, plan, priced(here), np.arange(3)) == pytest.approx(1 + 0.1)
    kept = replace(plan, steps=tuple(step for step in plan.steps if not isinstance(step.action, ReleaseCloudVM)))
    assert cost(here, kept, priced(here), np.arange(3)) == pytest.approx(2 + 0.1)
