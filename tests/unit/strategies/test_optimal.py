"""All six decided together: what is wished for, in which order, and what is left alone because it does not pay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import MIB, app, cluster, service, snapshot

from autoscaler.core.model import Action
from autoscaler.core.proposals import Consolidate, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import DIRTY
from autoscaler.packing.checker import check
from autoscaler.strategies.demand import expected_shortfall
from autoscaler.strategies.optimal import Optimal


def halves():
    """Three app VMs that fill a medium together, on two of them."""
    return cluster({"c1": ["a", "b"], "c2": ["c"]}, cpu=dict.fromkeys("abc", 0.9))


def test_two_half_empty_cloud_vms_become_one() -> None:
    advice = Optimal().propose(snapshot(halves()))
    (only,) = advice
    assert isinstance(only, Consolidate)
    assert only.cloud_vm == "c2"
    assert [(move.app_vm, move.target) for move in only.moves] == [("c", "c1")]
    assert only.evidence["saved"] > 0
    assert "saves" in only.reason


def test_the_certificate_is_a_proven_optimum_here() -> None:
    question = Optimal().question(snapshot(halves()))
    answer = Optimal().answer(question)
    advice = Optimal().propose(snapshot(halves()))
    assert advice.certificate is not None
    assert advice.certificate.objective == pytest.approx(answer.objective)
    assert advice.certificate.lower_bound == pytest.approx(answer.objective)
    assert not advice.certificate.relief
    assert answer.packing is not None
    assert check(question.problem, answer.packing, answer.objective, answer.lower_bound).faults == ()


def test_one_that_is_too_big_becomes_smaller() -> None:
    advice = Optimal().propose(snapshot(cluster({"c1": ["a"]}, sizes={"c1": "large"})))
    assert [(type(p), p.size) for p in advice if isinstance(p, ScaleDown)] == [(ScaleDown, "small")]


def test_nothing_is_moved_where_it_does_not_pay() -> None:
    dear = Optimal(downtime_price_per_minute=10_000.0)
    advice = dear.propose(snapshot(halves()))
    assert list(advice) == []
    assert advice.certificate is not None
    assert advice.certificate.objective == pytest.approx(4.0)  # two mediums for an hour


def test_who_would_be_paused_for_long_is_not_moved_to_save_but_is_where_nobody_can_stay() -> None:
    """50 MiB in use: at more than 62.5 MB/s it is sent whole while it pauses, 1.04 s with the hand-over."""
    dirty = replace(halves(), samples={**halves().samples, DIRTY: np.full(3, 70e6)})
    assert list(Optimal(longest_pause_s=1.0).propose(snapshot(dirty))) == []
    assert [p.key for p in Optimal(longest_pause_s=1.1).propose(snapshot(dirty))] == ["c2"]
    tenants = [app(name, cores=2.0) for name in "abc"]
    over = cluster({"c1": tenants, "c2": ["d"]}, cpu={**dict.fromkeys("abc", 1.6), "d": 0.4}, dirty=70e6)
    (relief,) = Optimal(longest_pause_s=1.0).propose(snapshot(over))
    assert (type(relief), relief.key) == (Separate, "c1")


def test_an_empty_cloud_vm_is_released_though_nothing_else_is_to_gain() -> None:
    """One of many: far below `least_saving` of the bill, but it costs nobody a move."""
    full = {f"c{n}": [app(f"a{n}", mib=1800)] for n in range(30)}
    advice = Optimal().propose(snapshot(cluster({**full, "idle": []}, cpu={f"a{n}": 0.99 for n in range(30)})))
    (only,) = advice
    assert (type(only), only.cloud_vm, only.moves) == (Consolidate, "idle", ())
    assert only.evidence["saved"] == pytest.approx(2.0)
    assert advice.certificate is not None
    assert advice.certificate.objective == pytest.approx(60.0)


def test_what_idles_pays_for_nobodys_move() -> None:
    """The saving of a move counts without the cloud VM that could go anyway."""
    dear = Optimal(downtime_price_per_minute=500.0)  # 1.67 for a move of 0.2 s, hurdle 3: 2.0 saved do not suffice
    places = {"c1": ["a", "b"], "c2": ["c"], "idle": []}
    wished = dear.propose(snapshot(cluster(places, cpu=dict.fromkeys("abc", 0.9))))
    assert [(type(p), p.cloud_vm) for p in wished] == [(Consolidate, "idle")]


def scattered():
    """Ten cloud VMs too small for company: bigger ones would hold all for less."""
    tenants = {f"c{n}": [app(f"a{n}", mib=600)] for n in range(10)}
    return cluster(tenants, sizes=dict.fromkeys(tenants, "small"), cpu={f"a{n}": 0.3 for n in range(10)})


def investments(strategy: Optimal, at) -> int:
    """Proposals of a saving plan that by themselves make the bill bigger."""
    wished = strategy.propose(at)
    return sum(isinstance(p, ScaleUp) or (isinstance(p, Separate) and bool(p.new_size)) for p in wished)


def test_a_plan_that_saves_rents_one_cloud_vm_at_a_time() -> None:
    """What it costs is sure, and what it saves may be refused: without this the bill of a scattered cluster doubled."""
    cheap = replace(snapshot(scattered()).inventory.catalogue[2], price_per_hour=2.0)
    catalogue = (*snapshot(scattered()).inventory.catalogue[:2], cheap)
    here = snapshot(replace(scattered(), catalogue=catalogue))
    assert investments(Optimal(), here) == 1
    assert investments(Optimal(), replace(here, reserved_bytes={"being-created": 1.0})) == 0
    places = {**{f"c{n}": [app(f"a{n}", mib=600)] for n in range(10)}, "big": [app("a", mib=100)]}
    sizes = dict.fromkeys(places, "small") | {"big": "large"}
    rented = snapshot(cluster(places, sizes=sizes, cpu={f"a{n}": 0.3 for n in range(10)}))
    rented = replace(
        rented, inventory=replace(rented.inventory, catalogue=catalogue), in_flight=frozenset({"a1", "c1"})
    )
    assert investments(Optimal(), replace(rented, reserved_bytes={"big": 1800.0 * MIB})) == 0
    assert investments(Optimal(), replace(rented, reserved_bytes={"big": 1900.0 * MIB})) == 1


def test_a_cloud_vm_that_only_what_is_not_rented_yet_would_empty_is_not_asked_for_back() -> None:
    places = {"c1": [app("a", cores=2.0), app("b", cores=2.0)], "c2": [app("c", cores=2.0)]}
    here = snapshot(cluster(places, sizes={"c1": "large", "c2": "large"}, cpu={"a": 1.2, "b": 0.55, "c": 0.6}))
    wished = Optimal(downtime_price_per_minute=0.0).propose(here)
    assert investments(Optimal(downtime_price_per_minute=0.0), here) == 1
    assert not [p for p in wished if isinstance(p, Consolidate) and not p.moves]


def test_relief_rents_as_many_as_it_takes() -> None:
    tenants = {f"c{n}": [app(f"{name}{n}", cores=2.0) for name in "abc"] for n in range(3)}
    use = {f"{name}{n}": 1.6 for name in "abc" for n in range(3)}
    assert investments(Optimal(), snapshot(cluster(tenants, cpu=use))) >= 2


def test_an_empty_cloud_vm_is_kept_for_replicas_to_come() -> None:
    web = service("web", at_least=2, mib=1900)
    places = {"c1": [app("web-1", mib=1900)], "idle": []}
    wished = Optimal().propose(snapshot(cluster(places, services=[web], cpu={"web-1": 0.9})))
    assert {type(p) for p in wished} == {ScaleOut}


def test_an_overloaded_cloud_vm_is_relieved_and_nobody_else_moves() -> None:
    tenants = [app(name, cores=2.0) for name in ("a", "b", "c")]
    full = cluster({"c1": tenants, "c2": ["d"]}, cpu={"a": 1.6, "b": 1.6, "c": 1.6, "d": 0.4})
    advice = Optimal().propose(snapshot(full))
    (only,) = advice
    assert isinstance(only, Separate)
    assert only.cloud_vm == "c1"
    assert [move.target for move in only.moves] == ["c2"]
    assert advice.certificate.relief


def test_a_service_gets_what_its_distribution_asks_for() -> None:
    web = service("web")
    busy = cluster({"c1": ["web-1", "web-2"]}, services=[web], cpu={"web-1": 0.95, "web-2": 0.95})
    advice = Optimal().propose(snapshot(busy))
    out = [p for p in advice if isinstance(p, ScaleOut)]
    assert out
    assert out[0].evidence["shortfall_cores"] > 0
    idle = cluster({"c1": [f"web-{n}" for n in range(6)]}, services=[web], cpu={f"web-{n}": 0.02 for n in range(6)})
    gone = [p for p in Optimal().propose(snapshot(idle)) if isinstance(p, ScaleIn)]
    assert len(gone) == 5


def test_what_is_filled_on_purpose_is_not_taken_for_demand_that_cannot_be_seen() -> None:
    """Ten replicas at 95 %: full where they are to be filled to 80 %, as it should be where they are to be filled to 98 %."""
    names = [f"web-{n}" for n in range(10)]
    busy = snapshot(cluster({"c1": names}, services=[service("web", at_most=40)], cpu=dict.fromkeys(names, 0.95)))

    def wanted(fill: float) -> float:
        out = [p for p in Optimal(replica_fill_fraction=fill).propose(busy) if isinstance(p, ScaleOut)]
        return out[0].evidence["wanted"] if out else 10.0

    assert wanted(0.8) > 1.5 * 9.5 / 0.8
    assert wanted(0.98) < 12


def test_where_replicas_are_full_as_much_is_added_as_the_policy_says() -> None:
    names = [f"web-{n}" for n in range(10)]
    full = snapshot(cluster({"c1": names}, services=[service("web", at_most=40)], cpu=dict.fromkeys(names, 1.0)))

    def wanted(**hidden: float) -> float:
        out = [p for p in Optimal(replica_fill_fraction=1.0, **hidden).propose(full) if isinstance(p, ScaleOut)]
        return out[0].evidence["mean_cores"]

    assert wanted() == pytest.approx(15.0)
    assert wanted(hidden_fraction=0.2) == pytest.approx(12.0)
    assert wanted(hidden_fraction=0.0) == pytest.approx(10.0)


def test_nothing_is_told_to_be_rented_where_nobody_comes() -> None:
    """The best packing rents one and does not pay: what is told of staying has none of it."""
    cheap = replace(snapshot(scattered()).inventory.catalogue[2], price_per_hour=2.0)
    here = snapshot(replace(scattered(), catalogue=(*snapshot(scattered()).inventory.catalogue[:2], cheap)))
    advice = Optimal(hurdle=100.0, downtime_price_per_minute=10.0).propose(here)
    assert list(advice) == []
    assert "rented" in advice.alternatives[1].plan
    assert advice.alternatives[0].plan == "stay as it is"


def test_replicas_are_not_stopped_whose_load_the_others_cloud_vms_could_not_bear() -> None:
    """Two replicas would do for 1.4 cores, but not the two on the small one beside its busy neighbour."""
    web = service("web")
    places = {"c1": ["web-1", "web-2", app("db", cores=2.0)], "c2": [f"web-{n}" for n in range(3, 9)]}
    use = {f"web-{n}": 0.175 for n in range(1, 9)} | {"db": 1.4}
    tight = cluster(places, services=[web], sizes={"c1": "small"}, cpu=use)
    kept = 8 - sum(isinstance(p, ScaleIn) for p in Optimal().propose(snapshot(tight)))
    roomy = cluster(places, services=[web], cpu=use)
    fewer = 8 - sum(isinstance(p, ScaleIn) for p in Optimal().propose(snapshot(roomy)))
    assert fewer < kept <= 8
    assert 2 * 1.4 / kept + 1.4 <= 2.0


def test_replicas_stay_within_their_bounds() -> None:
    web = service("web", at_least=3, at_most=4)
    idle = cluster({"c1": [f"web-{n}" for n in range(4)]}, services=[web], cpu={f"web-{n}": 0.01 for n in range(4)})
    assert [p.action for p in Optimal().propose(snapshot(idle)) if p.action.changes_replicas] == [Action.SCALE_IN]


def test_tenants_are_separated_and_never_packed_together() -> None:
    red, blue = (app(name, labels=(("tenant", name),)) for name in ("red", "blue"))
    together = snapshot(cluster({"c1": [red, blue]}))
    assert [type(p) for p in Optimal(isolate="tenant").propose(together)] == [Separate]
    assert [p for p in Optimal().propose(together) if isinstance(p, Separate)] == []
    parted = snapshot(cluster({"c1": [red], "c2": [blue]}))
    assert not [p for p in Optimal(isolate="tenant").propose(parted) if isinstance(p, Consolidate)]


def test_pinned_ones_and_what_a_plan_works_on_stay() -> None:
    pinned = cluster({"c1": ["a"], "c2": [app("b", pinned_to="c2")]})
    (only,) = Optimal().propose(snapshot(pinned))
    assert (only.key, [move.app_vm for move in only.moves]) == ("c1", ["a"])
    busy = snapshot(cluster({"c1": ["a"], "c2": ["b"]}), in_flight=frozenset({"c1", "c2"}))
    assert list(Optimal().propose(busy)) == []


def test_what_was_packed_is_left_alone() -> None:
    """No cycle: the cluster as the wishes leave it is wished for no more."""
    use = dict.fromkeys("abcd", 0.7)
    before = cluster({"c1": ["a", "b"], "c2": ["c"], "c3": ["d"]}, cpu=use)
    wished = Optimal().propose(snapshot(before))
    where = {move.app_vm: move.target for p in wished if isinstance(p, Consolidate) for move in p.moves}
    assert where
    home = {"a": "c1", "b": "c1", "c": "c2", "d": "c3"} | where
    after = {c: [a for a, at in home.items() if at == c] for c in ("c1", "c2", "c3")}
    left = cluster({c: apps for c, apps in after.items() if apps}, cpu=use)
    assert [p for p in Optimal().propose(snapshot(left)) if isinstance(p, Consolidate | Separate)] == []


@pytest.mark.parametrize("seed", range(5))
def test_the_worth_of_a_plan_is_monotone(seed: int) -> None:
    """What pays at some price of a pause pays at any lower one; what pays at some hurdle, at any lower one."""
    luck = np.random.default_rng(seed)
    places = {f"c{n}": [f"a{n}{m}" for m in range(luck.integers(1, 4))] for n in range(4)}
    here = snapshot(cluster(places))
    counts = [len(Optimal(downtime_price_per_minute=price).propose(here)) > 0 for price in (0.0, 1.0, 30.0, 1e4)]
    assert counts == sorted(counts, reverse=True)
    counts = [len(replace(Optimal(), hurdle=hurdle).propose(here)) > 0 for hurdle in (1.0, 3.0, 20.0, 100.0)]
    assert counts == sorted(counts, reverse=True)


def test_the_expected_shortfall_is_that_of_a_simulation() -> None:
    luck = np.random.default_rng(1).normal(3.0, 0.7, 200_000)
    for capacity in (2.0, 3.0, 4.0):
        assert expected_shortfall(3.0, 0.7, capacity) == pytest.approx(np.maximum(luck - capacity, 0).mean(), abs=0.005)
    assert expected_shortfall(3.0, 0.0, 2.0) == 1.0
