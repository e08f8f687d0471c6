"""What `optimal` weighed is told with every decision: the plan that was taken, the next best, the constraint that bound."""

from __future__ import annotations

import numpy as np
import pytest
from clusters import app, cluster, snapshot

from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import PolicyChanged, Record
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.packing.problem import objective
from autoscaler.packing.solve import Effort, solve
from autoscaler.registry import build
from autoscaler.strategies.optimal import Optimal


def weighed(places, **more):
    here = snapshot(cluster(places, **more))
    return Optimal().propose(here).alternatives


def test_a_plan_that_pays_stands_before_staying_with_what_that_would_cost_more():
    taken, *others = weighed({"c1": [app("a", 300)], "c2": [app("b", 300)], "c3": [app("c", 300)]})
    assert taken.why_not == ""
    assert "released" in taken.plan
    assert others[-1].plan == "stay as it is"
    assert others[-1].objective == pytest.approx(6.0)  # three mediums for an hour
    assert others[-1].why_not == f"costs {others[-1].objective - taken.objective:.4f} more"
    assert [one.objective for one in (taken, *others)] == sorted(one.objective for one in (taken, *others))


def test_who_has_to_leave_is_told_with_the_cloud_vm_that_is_too_full_and_by_how_much():
    taken, *_, staying = weighed(
        {"c1": [app("a", 300, cores=2), app("b", 300, cores=2)], "c2": [app("c", 300)]},
        sizes={"c1": "small"},
        cpu={"a": 1.0, "b": 1.2},
    )
    assert taken.plan == "1 app VM moves"
    assert staying.why_not.startswith("c1 would need 2.2 cores of CPU, 1.7 may be used: 0.5 more would do")


def test_company_that_is_not_allowed_is_told():
    *_, staying = weighed({"c1": [app("a", 300, apart_from=("b",)), app("b", 300)], "c2": []})
    assert staying.why_not == "a must stay apart from b on c1"


def test_what_does_not_pay_is_told_with_what_it_would_have_to_save():
    """Where the bound leaves room, the best that was found stands beside staying, with both sums."""
    places = {f"c{n}": [app(f"a{n}", 100, cores=1.0)] for n in range(1, 4)}
    dear = Optimal(hurdle=100.0, downtime_price_per_minute=500.0)
    here = snapshot(cluster(places))
    stay, other = dear.propose(here).alternatives
    assert (stay.plan, stay.why_not) == ("stay as it is", "")
    assert "is needed" in other.why_not
    assert "hurdle" in other.why_not


def test_what_was_weighed_is_in_the_record():
    engine = Engine(Toolbox(build, lambda _text: lambda _variables: True))
    observed = cluster({"c1": [app("a", 300)], "c2": [app("b", 300)]})
    engine.handle(PolicyChanged(observed.at, Policy("p", StrategySpec("optimal"), limits=Limits()), id="e0"))
    (record,) = [command for command in engine.handle(observed) if isinstance(command, Record)]
    told = record.audit.alternatives
    assert told[0].why_not == ""
    assert told[-1].plan == "stay as it is"


@pytest.mark.parametrize("seed", range(8))
def test_the_optimisers_runner_up_is_a_packing_that_costs_more(seed):
    rng = np.random.default_rng(seed)
    places = {f"c{n}": [app(f"a{n}-{k}", int(rng.integers(100, 500))) for k in range(2)] for n in range(8)}
    here = snapshot(
        cluster(places, cpu={f"a{n}-{k}": float(rng.uniform(0.1, 0.9)) for n in range(8) for k in range(2)})
    )
    problem = Optimal().question(here).problem
    found = solve(problem, Effort(), seed)
    if found.runner_up is not None:
        assert objective(problem, found.runner_up) > found.objective
        assert found.runner_up.place.shape == found.packing.place.shape
