"""What is done about the halves of a migration that nobody leads any more: every case, and never two copies."""

from __future__ import annotations

import itertools
import uuid

import pytest

from autoscaler.adapters.libvirt_domains.connection import Guest
from autoscaler.adapters.libvirt_domains.description import Note
from autoscaler.adapters.libvirt_domains.halves import DESTROY, RESUME, acts
from autoscaler.agent.descriptions import AppVMSpec

SPEC = AppVMSpec(str(uuid.UUID(int=1)), "app", "0" * 64, 64 << 20)
TO_B = (Note("e:s1", "start"), Note("e:s2", "migrate", "b"))


def copy(*, paused: bool, busy: bool = False, notes: tuple[Note, ...] = TO_B) -> Guest:
    return Guest(SPEC, notes, paused, busy, 0.0, 0)


HALF, WHOLE = copy(paused=True), copy(paused=False)


@pytest.mark.parametrize(
    ("copies", "silent", "expected"),
    [
        ({"a": WHOLE}, (), []),
        ({"a": WHOLE, "b": HALF}, (), [(DESTROY, "b")]),
        ({"a": HALF, "b": WHOLE}, (), [(DESTROY, "a")]),
        ({"a": HALF, "b": WHOLE}, ("c",), [(DESTROY, "a")]),
        ({"a": HALF, "b": HALF}, (), [(DESTROY, "b"), (RESUME, "a")]),
        ({"a": HALF}, (), [(RESUME, "a")]),
        ({"a": HALF}, ("c",), [(RESUME, "a")]),
        ({"a": HALF}, ("b",), []),
        ({"b": HALF}, (), [(RESUME, "b")]),
        ({"b": HALF}, ("a",), []),
        ({"a": copy(paused=True, busy=True)}, (), []),
        ({"a": HALF, "b": copy(paused=True, busy=True)}, (), []),
        ({"a": WHOLE, "b": WHOLE}, (), []),
        ({"a": copy(paused=True, notes=(*TO_B, Note("e:s3", "pause")))}, (), []),
        ({}, (), []),
    ],
)
def test_every_case(copies, silent, expected):
    assert acts(copies, silent) == expected


def test_no_act_makes_a_second_copy_run():
    """Over all states of three hosts, with any of them silent: whatever runs unseen, at most one copy runs afterwards, if at most
    one ran before. What libvirt rules out: that the source is let go, or the copy there gone, before the one at the target runs."""
    kinds = (None, HALF, WHOLE, copy(paused=True, busy=True))
    for world in itertools.product(kinds, repeat=3):
        there = {name: state for name, state in zip("abc", world, strict=True) if state is not None}
        if sum(not state.paused for state in there.values()) > 1 or ("c" in there and there["c"].paused):
            continue
        for silent in ((), ("a",), ("b",), ("c",), ("a", "b"), ("a", "b", "c")):
            seen = {name: state for name, state in there.items() if name not in silent}
            running = {name for name, state in there.items() if not state.paused}
            for act, name in acts(seen, silent):
                running = running - {name} if act == DESTROY else running | {name}
            if "c" in running and "c" in silent:
                continue  # it was moved on from the target: its newest note would not say b
            assert len(running) <= 1, (world, silent)
