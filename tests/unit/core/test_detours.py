"""Parking against budgets: a swap that needs a third place is planned with it, and without it where that costs too much."""

from dataclasses import replace

import pytest
from clusters import T0, app, cluster, snapshot
from stories import FREE, did

from autoscaler.core.decide import Judged
from autoscaler.core.decision import Decision
from autoscaler.core.detours import plan_within_budgets
from autoscaler.core.effect import Effect, Relocation
from autoscaler.core.ledger import Grant, Ledger, Pause
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget

SWAP = (Effect(moves=(Relocation("a", "X", "Y"),)), Effect(moves=(Relocation("b", "Y", "X"),)))
GRANTS = (
    Grant(T0, Action.SEPARATE, "X", ("X", "a", "Y"), 1),
    Grant(T0, Action.SEPARATE, "Y", ("Y", "b", "X"), 1),
)
DETOUR = ["migrate b Y>Z", "migrate a X>Y", "migrate b Z>X"]


def planned(limits=FREE, ledger=None, shut=(), **b):
    seen = cluster({"X": [app("a", 1900)], "Y": [app("b", 1800, **b)], "Z": []})
    judged = Judged(Decision("d7", T0, "test"), SWAP, GRANTS)
    plan, grants = plan_within_budgets(judged, snapshot(seen), ledger or Ledger(), {}, limits, shut)
    return [did(step.action) for step in plan.steps], [g.migrations for g in grants], plan.dropped


def budget(migrations, **more):
    return replace(FREE, budgets=(Budget((Action.SEPARATE,), migrations=migrations, **more),))


def test_parking_is_charged_to_the_grant_it_was_for():
    assert planned() == (DETOUR, [1, 2], ())


@pytest.mark.parametrize(("migrations", "spent", "parks"), [(3, 0, True), (2, 0, False), (3, 1, False), (4, 1, True)])
def test_parking_stays_within_the_budget_of_migrations(migrations, spent, parks):
    ledger = Ledger((Grant(T0 - 60, Action.SEPARATE, "Q", ("Q",), spent),))
    assert planned(budget(migrations), ledger)[0] == (DETOUR if parks else [])


def test_a_budget_per_tick_counts_this_plan_only():
    ledger = Ledger((Grant(T0 - 60, Action.SEPARATE, "Q", ("Q",), 9),))
    assert planned(budget(3, per_s=None), ledger)[0] == DETOUR
    assert planned(budget(2, per_s=None), ledger) == ([], [1, 1], (0, 1))  # neither half of a swap is possible alone


@pytest.mark.parametrize(("spent_s", "parks"), [(0.6, True), (0.61, False)])
def test_parking_stays_within_the_downtime_budget(spent_s, parks):
    ledger = Ledger(pauses={"b": (Pause(T0 - 60, spent_s),)})  # twice 0.2 s more
    assert planned(ledger=ledger, downtime_budget_s=1.0)[0] == (DETOUR if parks else [])


def test_nobody_is_parked_where_a_plan_works_or_an_operator_paused():
    assert planned(shut={"Z"})[0] == []
