"""`plan --certify` against a running controller: its state is decided on and checked here; another version's is refused."""

from __future__ import annotations

import json

import pytest
from clusters import app, cluster

from autoscaler.adapters import codec
from autoscaler.cli.certify import of_running
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.engine import ENGINE_VERSION, Engine
from autoscaler.core.events import PolicyChanged
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.state import EngineState
from autoscaler.errors import UsageError


def document(policy: Policy | None) -> dict[str, object]:
    engine = Engine(TOOLBOX)
    observed = cluster({"c1": [app("a", 300)], "c2": [app("b", 300)], "c3": [app("c", 300)]})
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
    assert verdict.bound_confirmed is not None
    assert verdict.lower_bound is not None
    assert verdict.lower_bound <= verdict.objective


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
