"""The plan checker finds what could go wrong under some order of ends, and is silent about the planner's own plans."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clusters import app, cluster, snapshot

from autoscaler.core.effect import Effect, Relocation
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Migrate, Plan
from autoscaler.packing.plan_checker import faults


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
