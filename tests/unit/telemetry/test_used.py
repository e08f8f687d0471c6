"""How much of the policy's limits is used, and who goes to and fro: exact figures from a ledger written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest

from autoscaler.core.correction import Expectation
from autoscaler.core.events import Execute, Outcome, StepEnded
from autoscaler.core.ledger import Grant, Ledger
from autoscaler.core.migration import Prediction
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Limits, Policy, StrategySpec
from autoscaler.core.steps import Certificate, Migrate, Plan, Step
from autoscaler.telemetry.collector import registry_of
from autoscaler.telemetry.used import budgets_used, downtimes, oscillating

NOW = 1_000_000.0


def grant(action: Action, key: str, ago_s: float, migrations: int = 0, ids: tuple[str, ...] = ()) -> Grant:
    return Grant(NOW - ago_s, action, key, ids, migrations)


def policy(*budgets: Budget, **limits: Any) -> Policy:
    return Policy("p", StrategySpec("hold"), limits=Limits(budgets=budgets, **limits))


def test_a_budget_is_used_by_the_grants_of_its_time_and_actions(running: Any) -> None:
    saving = (Action.CONSOLIDATE, Action.SCALE_DOWN)
    ledger = Ledger(
        grants=(
            grant(Action.CONSOLIDATE, "a", 4000.0, 9),
            grant(Action.CONSOLIDATE, "a", 30.0, 3),
            grant(Action.SCALE_OUT, "web", 20.0),
        )
    )
    by_policy = policy(
        Budget(saving, count=4),
        Budget(saving, count=4, migrations=4),
        Budget((Action.SCALE_OUT,), count=1),
        Budget((Action.SCALE_OUT,), per_cent=50.0),
        Budget(saving, count=1, per_s=None),
        Budget((Action.SCALE_IN,), count=0),
    )
    used = dict(budgets_used(by_policy, ledger, running.engine.snapshot(), NOW))
    assert used == {
        "limits.budgets[0]": 0.25,
        "limits.budgets[1]": 0.75,
        "limits.budgets[2]": 1.0,
        "limits.budgets[3]": 0.5,  # one of the two that half of four `web` allow
        "limits.budgets[5]": 0.0,
    }


def test_to_and_fro_and_to_again_within_an_hour_is_oscillation() -> None:
    out, back = Action.SCALE_OUT, Action.SCALE_IN
    grants = [
        grant(out, "web", 3000.0),
        grant(back, "web", 2000.0),
        grant(out, "db", 1500.0),
        grant(back, "db", 1400.0),
    ]
    assert oscillating(grants, NOW) == frozenset()
    assert oscillating([*grants, grant(out, "web", 100.0)], NOW) == {"web"}
    assert oscillating([replace(grants[0], at=NOW - 3601.0), *grants[1:], grant(out, "web", 100.0)], NOW) == frozenset()


def test_moves_are_no_turn_of_replicas_and_count_for_each_app_vm() -> None:
    moved = [
        grant(Action.CONSOLIDATE, "a", 300.0, 1, ("one",)),
        grant(Action.SEPARATE, "b", 200.0, 1, ("one", "two")),
        grant(Action.SCALE_IN, "one", 150.0),
        grant(Action.CONSOLIDATE, "c", 100.0, 1, ("one",)),
    ]
    assert oscillating(moved, NOW) == {"one"}


def test_an_app_vms_own_downtime_budget_is_the_one_that_counts(running: Any) -> None:
    snapshot = running.engine.snapshot()
    web, db = snapshot.app_vms[0].id, snapshot.app_vms[int(snapshot.by_service[1][0])].id
    ledger = (
        Ledger()
        .paused(web, NOW - 50.0, 0.5)
        .paused(web, NOW - 40.0, 0.7)
        .paused(db, NOW - 9.0, 0.4)
        .paused("gone", NOW, 3.0)
    )
    assert downtimes(policy(downtime_budget_s=1.0), ledger, snapshot, NOW) == (3.0, 1)
    assert downtimes(policy(), ledger, snapshot, NOW) == (3.0, 0)
    roomy = tuple(replace(app_vm, downtime_budget_s=2.0) for app_vm in snapshot.app_vms)
    own = replace(snapshot, inventory=replace(snapshot.inventory, app_vms=roomy))
    assert downtimes(policy(downtime_budget_s=1.0), ledger, own, NOW) == (3.0, 0)


def test_samples_age_while_the_source_is_silent(running: Any) -> None:
    observatory = running.observatory
    observatory.publish(observatory.view.at + 240.0)
    sampled = registry_of(observatory).get_sample_value("flexcapsule_sample_age_seconds", {"which": "newest"})
    assert sampled == pytest.approx(240.0)


def test_migrations_done_are_summed_beside_their_predictions(running: Any) -> None:
    predictions, snapshot = running.observatory.predictions, running.engine.snapshot()
    said, expected = Prediction(2.0, 0.2, 1e6), Prediction(3.0, 0.25, 1e6)
    moving = Step("p9.s1", Migrate(snapshot.app_vms[0].id, "a", "b"), expects=Expectation(said, expected))
    failing = Step("p9.s2", Migrate(snapshot.app_vms[1].id, "b", "a"), expects=Expectation(said, expected))
    predictions(NOW, StepEnded(NOW, "x", Outcome.DONE), [Execute(moving, "e"), Execute(failing, "e")])
    predictions(NOW, StepEnded(NOW, "p9.s2", Outcome.FAILED, total_s=9.0, downtime_s=9.0), [])
    predictions(NOW, StepEnded(NOW, "p9.s1", Outcome.DONE, total_s=4.0, downtime_s=0.3), [])
    registry = registry_of(running.observatory)
    assert registry.get_sample_value("flexcapsule_migration_predicted_seconds_total") == 3.0
    assert registry.get_sample_value("flexcapsule_migration_predicted_downtime_seconds_total") == 0.25
    assert registry.get_sample_value("flexcapsule_migration_taken_seconds_total") == 4.0
    assert registry.get_sample_value("flexcapsule_migration_paused_seconds_total") == 0.3


def test_the_gap_is_that_of_the_newest_plan_that_has_one(running: Any) -> None:
    registry, state = registry_of(running.observatory), running.engine.state
    assert b"flexcapsule_plan_gap_ratio NaN" in generate_latest(registry)
    certified = Plan("p1", "d1", (), certificate=Certificate(11.0, 10.0))
    state.last = replace(state.last, plan=certified)
    running.observatory.publish(NOW)
    state.last = replace(state.last, plan=None)
    running.observatory.publish(NOW)
    assert registry.get_sample_value("flexcapsule_plan_gap_ratio") == pytest.approx(0.1)
