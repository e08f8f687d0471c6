"""`plan --certify` against a running controller: its state is decided on and checked here; another version's is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from clusters import app, cluster

from autoscaler.adapters import codec
from autoscaler.cli.certify import _claimed, certified, lines, of_running
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.engine import ENGINE_VERSION, Engine
from autoscaler.core.events import Observed, PolicyChanged
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.state import EngineState
from autoscaler.errors import UsageError
from autoscaler.strategies.optimal import Optimal
from autoscaler.telemetry.preview import planned


def two() -> Observed:
    """Together they fill one of the two."""
    return cluster({"c1": [app("a", 900)], "c2": [app("b", 900)]})


def document(policy: Policy | None) -> dict[str, object]:
    engine = Engine(TOOLBOX)
    observed = two()
    engine.state.history = engine.state.history.extend(observed)
    if policy is not None:
        engine.handle(PolicyChanged(observed.at, policy, id="e1"))
    return {"engine": ENGINE_VERSION, "state": json.loads(codec.dumps(engine.state, EngineState))}


def test_what_is_shown_is_what_was_certified():
    shown, verdict = of_running(document(Policy("p", StrategySpec("optimal"), limits=Limits(worth_it_k=None))))
    assert shown.decision.plan is not None
    assert shown.decision.plan.steps
    assert verdict.plan_faults == []
    assert verdict.packing_faults == []
    assert verdict.bound_confirmed
    assert verdict.plan_objective == pytest.approx(verdict.objective)
    assert verdict.lower_bound is not None
    assert verdict.lower_bound <= verdict.objective


def test_a_certificate_that_says_another_objective_is_refused():
    """The objective is what the steps come to; a plan of fewer steps is not what was certified."""
    engine = Engine(TOOLBOX)
    engine.state.history = engine.state.history.extend(observed := two())
    engine.handle(
        PolicyChanged(observed.at, Policy("p", StrategySpec("optimal"), limits=Limits(worth_it_k=None)), id="e1")
    )
    _, snapshot, plan = planned(engine.state, TOOLBOX, settled=True)
    assert plan is not None
    assert plan.certificate is not None
    question = Optimal().question(snapshot)
    told, wrong = _claimed(snapshot, plan, question)
    assert (told, wrong) == (pytest.approx(plan.certificate.objective), [])
    cheaper = replace(plan, certificate=replace(plan.certificate, objective=plan.certificate.objective * 0.99))
    assert "its certificate says" in _claimed(snapshot, cheaper, question)[1][0]
    shorter = replace(plan, steps=plan.steps[:-1])
    assert "carried out, it costs" in _claimed(snapshot, shorter, question)[1][0]


def test_of_a_part_of_a_packing_nothing_is_claimed():
    """All three fit on one smaller cloud VM, that is not there yet: this tick only rents it, and one moves there."""
    three = cluster({"c1": [app("a", 300)], "c2": [app("b", 300)], "c3": [app("c", 300)]})
    engine = Engine(TOOLBOX)
    engine.state.history = engine.state.history.extend(three)
    engine.handle(
        PolicyChanged(three.at, Policy("p", StrategySpec("optimal"), limits=Limits(worth_it_k=None)), id="e1")
    )
    _, snapshot, plan = planned(engine.state, TOOLBOX, settled=True)
    assert plan is not None
    assert [type(step.action).__name__ for step in plan.steps] == [
        "Cordon",
        "CreateCloudVM",
        "Migrate",
        "ReleaseCloudVM",
    ]
    assert plan.certificate is None
    verdict = certified(engine.state)
    assert (verdict.plan_faults, verdict.plan_objective) == ([], None)
    assert any("nothing is claimed" in line for line in lines(verdict))
    found = Optimal().answer(Optimal().question(snapshot))
    assert verdict.objective == pytest.approx(found.objective)


def test_of_other_strategies_the_steps_are_certified():
    _, verdict = of_running(document(Policy("p", StrategySpec("consolidate"), limits=Limits(worth_it_k=None))))
    assert verdict.plan_faults == []
    assert verdict.objective is None


@pytest.mark.parametrize(
    "state", [{"engine": "0", "state": {}}, {"engine": ENGINE_VERSION, "state": {"policy": 7}}, {}]
)
def test_what_cannot_be_read_is_told_with_both_versions(state):
    with pytest.raises(UsageError, match=f"cannot be read here \\(engine {ENGINE_VERSION}\\)"):
        of_running(state)


def test_without_a_policy_there_is_nothing_to_certify():
    with pytest.raises(UsageError, match="no policy yet"):
        of_running(document(None))
