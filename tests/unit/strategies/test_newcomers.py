"""The sizes that are rented for replicas to come: for all of them together."""

from __future__ import annotations

from dataclasses import replace

from clusters import CATALOGUE, app, cluster, service, snapshot

from autoscaler.core.decide import decide
from autoscaler.core.guards.case import Standing
from autoscaler.core.ledger import Ledger
from autoscaler.core.model import CloudVMSize
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.proposals import ScaleOut
from autoscaler.core.steps import Certificate, Plan
from autoscaler.strategies.optimal import Optimal

BURST = Optimal(cpu_headroom_fraction=0.0, cpu_overcommit=1.0, replica_fill_fraction=1.0, hidden_fraction=1.0)
DISCOUNT = (*CATALOGUE[:2], CloudVMSize("large", 8.0, CATALOGUE[2].memory_bytes, 2.9))  # less than three small ones


def full(**bounds: int):
    """Eight replicas that use all they have: nine more are wanted, and there is room for two."""
    names = [f"web-{n}" for n in range(8)]
    web = service("web", **(bounds or {"at_most": 40}))
    places = {"c1": names[:4], "c2": names[4:], "c3": []}
    seen = cluster(places, services=[web], sizes={"c3": "small"}, cpu=dict.fromkeys(names, 1.0))
    return snapshot(replace(seen, catalogue=DISCOUNT))


def sizes(strategy: Optimal, at) -> list[str | None]:
    return [p.new_size for p in strategy.propose(at) if isinstance(p, ScaleOut)]


def test_those_that_come_together_fill_what_is_there_and_share_a_big_one() -> None:
    assert sizes(BURST, full()) == [None, None, *["large"] * 7]


def test_few_get_a_small_one() -> None:
    assert sizes(replace(BURST, hidden_fraction=0.35), full()) == [None, None, "small"]


def test_one_is_rented_where_each_by_itself_would_have_rented_four() -> None:
    at = full()
    policy = Policy("p", StrategySpec("optimal"), limits=Limits(cpu_headroom_fraction=0.0, cpu_overcommit=1.0))

    def rented(wishes) -> list[str]:
        made = decide("7", at, wishes, Standing(policy, Ledger()))
        assert len(made.decision.granted) == 9
        return [cloud_vm.size.name for effect in made.effects for cloud_vm in effect.creates]

    wishes = [p for p in BURST.propose(at) if isinstance(p, ScaleOut)]
    assert rented(wishes) == ["large"]
    assert rented([replace(wish, new_size=None) for wish in wishes]) == ["small"] * 4


def test_nothing_is_certified_where_a_new_replica_rents() -> None:
    """The bound is of the cloud VMs that are there; of what starts on them it still is."""
    policy = Policy("p", StrategySpec("optimal"), limits=Limits(cpu_headroom_fraction=0.0, cpu_overcommit=1.0))
    proved, plan = Certificate(1.0, 1.0), Plan("p1", "d7", ())
    for strategy, certified in ((BURST, None), (replace(BURST, hidden_fraction=0.1), proved)):
        wishes = [p for p in strategy.propose(full()) if isinstance(p, ScaleOut)]
        made = decide("7", full(), wishes, Standing(policy, Ledger()))
        assert made.decision.granted
        assert replace(made, certificate=proved).certified(plan).certificate == certified


def test_one_above_the_most_is_wished_for_without_a_size() -> None:
    assert sizes(BURST, full(at_most=11)) == [None, None, "small", None]  # the last says that the maximum binds


def test_who_may_not_share_gets_one_each() -> None:
    web = service("web", at_most=40, apart_from=("web",))
    names = [app(f"web-{n}", apart_from=("web",)) for n in range(2)]
    apart = cluster({"c1": names[:1], "c2": names[1:]}, services=[web], cpu={"web-0": 1.0, "web-1": 1.0})
    wanted = sizes(BURST, snapshot(apart))
    assert wanted
    assert set(wanted) <= {None, "small"}
