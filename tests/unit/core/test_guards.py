"""Each guard granted just inside its limit and denied just outside, with the exact reason; and what its `relax` asks for helps."""

from dataclasses import replace

import numpy as np
import pytest
from clusters import MIB, T0, app, cluster, service, snapshot
from stories import FREE, consolidate, policy, scale_down, scale_in, scale_out, scale_up, separate

from autoscaler.core.decide import decide
from autoscaler.core.guards import GUARDS
from autoscaler.core.guards.case import Standing, at_least, at_most, longest_pause_s
from autoscaler.core.ledger import DAY_S, Grant, Ledger, Pause
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Condition, Window
from autoscaler.core.snapshot import DIRTY


def judged(observed, *wishes, limits=FREE, ledger=None, flight=None, arriving=(), **standing):
    """The denials of the last wish, as (guard, reason, relax, until); () = granted."""
    rules = standing.pop("rules", ())
    before = Standing(policy(limits, conditions=rules), ledger or Ledger(), **standing)
    result = decide("7", snapshot(observed, **(flight or {})), wishes, before, arriving).decision
    denied = {id(d.proposal): d.denials for d in result.denied}.get(id(wishes[-1]), ())
    return [(d.guard, d.reason, d.relax, d.until) for d in denied]


def two(**more):
    """a and b on X, c on Y, two services' worth of room."""
    return cluster({"X": [app("a", cores=1), app("b", cores=1)], "Y": [app("c", cores=1)]}, **more)


WEB = {"X": ["web-1", "web-2"], "Y": ["web-3"]}


@pytest.mark.parametrize("subject", ["", "X", "a", "Y"])
def test_a_pause_of_the_cluster_or_of_anything_the_effect_touches_denies(subject):
    name = subject or "the cluster"
    denials = judged(two(), consolidate("X", "a>Y b>Y"), paused={subject: "audit"})
    assert denials[0] == ("paused", f"{name} is paused: audit", f"flexcapsule resume {subject}".strip(), None)


def test_a_pause_of_a_service_denies_its_replicas_moves_and_scaling_and_nothing_else():
    seen = cluster({**WEB, "Z": ["api-1"]}, services=[service("web"), service("api")])
    for wish in (consolidate("X", "web-1>Y web-2>Y"), scale_out("web"), scale_in("web", "web-1")):
        assert judged(seen, wish, paused={"web": ""})[0] == (
            "paused",
            "web is paused",
            "flexcapsule resume web",
            None,
        )
    assert judged(seen, scale_out("api", "Z"), paused={"web": ""}) == []


def test_what_is_paused_or_stuck_is_not_chosen_for_a_newcomer():
    seen = cluster(WEB, services=[service("web")], cpu={"web-3": 1.9})
    assert judged(seen, scale_out("web"), paused={"Y": ""}) == []
    assert judged(seen, scale_out("web"), stuck={"X": ""}) == []


def test_what_is_stuck_is_left_alone():
    denials = judged(two(), consolidate("X", "a>Y b>Y"), stuck={"a": "no outcome"})
    relax = "look at it, then: flexcapsule resume a"
    assert denials == [("stuck", "a is stuck: no outcome", relax, None)]


@pytest.mark.parametrize(("age", "fresh"), [(180.0, True), (180.5, False)])
@pytest.mark.parametrize("stale", ["a", "c"])
def test_everyone_where_the_effect_happens_needs_a_fresh_sample(age, fresh, stale):
    denials = judged(two(ages={stale: age}), consolidate("X", "a>Y b>Y"))
    reason = f"the newest sample of {stale} is {age:.0f} s old (limit 180 s)"
    assert denials == ([] if fresh else [("freshness", reason, "limits.fresh >= 181s", None)])


def test_every_replica_of_a_scaled_service_needs_a_fresh_sample_and_strangers_elsewhere_do_not():
    seen = cluster({"X": ["web-1"], "Y": ["web-2"], "Z": ["other"]}, services=[service("web")], ages={"web-2": 200.0})
    assert judged(seen, scale_out("web", "X"))[0][0] == "freshness"
    seen = cluster({"X": ["web-1"], "Z": ["other"]}, services=[service("web")], ages={"other": 200.0})
    assert judged(seen, scale_out("web", "X")) == []


def test_what_a_plan_works_on_is_left_to_it_as_subject_and_as_target():
    for busy in ("X", "a", "Y"):
        denials = judged(two(), consolidate("X", "a>Y b>Y"), flight={"in_flight": frozenset([busy])})
        assert denials[0] == ("in_flight", f"a plan is working on {busy}", "the end of that plan", None)
    denials = judged(two(), consolidate("X", "a>Y b>Y"), filling=frozenset(["X"]))
    assert denials == [("in_flight", "a plan is moving app VMs to X", "the end of that plan", None)]


def test_a_condition_must_hold_and_one_that_fails_is_a_denial():
    rule = Condition((Action.CONSOLIDATE,), "time.hour < 6", "nights only")
    wish = consolidate("X", "a>Y b>Y")
    assert judged(two(), wish, rules=(rule,), conditions=(lambda v: v["time"]["hour"] == 13,)) == []
    shut = judged(two(), wish, rules=(rule,), conditions=(lambda _v: False,))
    assert shut == [("condition", "nights only", "time.hour < 6", None)]
    nameless = replace(rule, reason="")
    said = judged(two(), wish, rules=(nameless,), conditions=(lambda _v: False,))
    assert said[0][1] == "the condition does not hold: time.hour < 6"
    broken = judged(two(), wish, rules=(rule,), conditions=(lambda v: v["time"]["hour"] // 0 > 1,))
    assert broken[0][1].startswith("time.hour < 6 cannot be evaluated: ")
    other = replace(rule, actions=(Action.SCALE_OUT,))
    assert judged(two(), wish, rules=(other,), conditions=(lambda _v: False,)) == []


def test_a_service_keeps_between_its_least_and_its_most_replicas():
    at_most = cluster(WEB, services=[service("web", 1, 3)])
    assert judged(at_most, scale_out("web", "Y")) == [
        ("replicas", "web has 3 of at most 3 replicas", "web.max_replicas >= 4", None)
    ]
    assert judged(cluster(WEB, services=[service("web", 1, 4)]), scale_out("web", "Y")) == []
    at_least = cluster(WEB, services=[service("web", 3, 9)])
    assert judged(at_least, scale_in("web", "web-3")) == [
        ("replicas", "web has 3 of at least 3 replicas", "web.min_replicas <= 2", None)
    ]
    assert judged(cluster(WEB, services=[service("web", 2, 9)]), scale_in("web", "web-3")) == []
    first = scale_in("web", "web-1")
    assert judged(cluster(WEB, services=[service("web", 2, 9)]), first, scale_in("web", "web-3"))[0][0] == "replicas"


def test_a_service_out_of_bounds_may_come_back_towards_them():
    assert judged(cluster(WEB, services=[service("web", 1, 1)]), scale_in("web", "web-3")) == []
    assert judged(cluster(WEB, services=[service("web", 7, 9)]), scale_out("web", "Y")) == []


def test_a_pinned_app_vm_stays_where_it_is_pinned_and_may_come_back():
    pinned = cluster({"X": [app("a", pinned_to="X"), app("b", pinned_to="Y")], "Y": []})
    assert judged(pinned, separate("X", "a>Y")) == [("pinning", "a is pinned to X", "a.pinned_to = Y", None)]
    assert judged(pinned, separate("X", "b>Y")) == []


def test_one_that_cannot_move_is_told_with_why_and_without_a_way_out():
    labels = (("flexcapsule.pinned_because", "its disk is there"),)
    pinned = cluster({"X": [app("a", pinned_to="X", labels=labels)], "Y": []})
    assert judged(pinned, separate("X", "a>Y")) == [("pinning", "a is pinned to X: its disk is there", "", None)]


@pytest.mark.parametrize("by", ["id", "service", "the other's word"])
def test_who_must_stay_apart_does_not_meet(by):
    words = {"id": (("c-1",), ()), "service": (("c",), ()), "the other's word": ((), ("a-1",))}[by]
    seen = cluster({"X": [app("a-1", apart_from=words[0]), "b-1"], "Y": [app("c-1", apart_from=words[1])], "Z": []})
    reason = "a-1 must stay apart from c-1, which would share Y"
    assert judged(seen, separate("X", "a-1>Y")) == [("anti_affinity", reason, "another cloud VM than Y", None)]
    assert judged(seen, separate("X", "a-1>Z")) == []


def test_who_must_stay_apart_does_not_arrive_together_and_may_take_the_place_of_one_who_leaves():
    seen = cluster({"X": [app("a", apart_from=("b",)), app("b")], "Y": [app("c", apart_from=("a",))], "Z": []})
    assert judged(seen, consolidate("X", "a>Z b>Z"))[0][0] == "anti_affinity"
    assert judged(seen, separate("Y", "c>Z"), separate("X", "a>Y")) == []


def test_who_must_stay_apart_from_one_on_its_way_does_not_meet_it_there():
    from autoscaler.core.effect import Arrival

    seen = cluster({"X": [app("a", apart_from=("n",))], "Y": []})
    assert judged(seen, separate("X", "a>Y"), arriving=[Arrival(app("n"), "Y")])[0][0] == "anti_affinity"


@pytest.mark.parametrize(("mib", "fits"), [(1900, True), (1901, False)])
def test_memory_allocated_is_a_hard_limit(mib, fits):
    seen = cluster({"X": [app("a", mib=mib)], "Y": ["c"]}, sizes={"X": "large"})
    denials = judged(seen, separate("X", "a>Y"))
    assert [d[0] for d in denials] == ([] if fits else ["capacity", "headroom"])  # 100 MiB are c's
    if not fits:
        assert denials[0][1] == "Y would have 2.0982e+09 of 2.09715e+09 bytes (memory allocated)"
        assert denials[0][2] == "1.04858e+06 bytes more on Y"


@pytest.mark.parametrize(("cores", "fits"), [(15.0, True), (15.1, False)])
def test_cores_allocated_stay_within_the_overcommit(cores, fits):
    seen = cluster({"X": [app("a", cores=cores)], "Y": ["c"]})
    denials = judged(seen, separate("X", "a>Y"))
    expected = [("capacity", "Y would have 16.1 of 16 cores (cores allocated)", "0.1 cores more on Y", None)]
    assert denials == ([] if fits else expected)


def test_the_second_grant_of_a_decision_sees_the_first_and_plans_in_flight_take_room():
    from autoscaler.core.effect import Arrival

    seen = cluster({"X": [app("a", mib=1000), app("b", mib=1000)], "Y": [app("c", mib=500)]})
    assert judged(seen, separate("X", "b>Y")) == []
    assert judged(seen, separate("X", "a>Y"), separate("X", "b>Y"))[0][0] == "capacity"
    assert judged(seen, separate("X", "b>Y"), arriving=[Arrival(app("n", mib=501), "Y")])[0][0] == "capacity"
    assert judged(seen, separate("X", "b>Y"), arriving=[Arrival(app("n", mib=500), "Y")]) == []


@pytest.mark.parametrize("state", ["starting", "cordoned", "draining", "gone"])
def test_only_an_active_cloud_vm_receives(state):
    denials = judged(two(states={"Y": state}), separate("X", "a>Y"))
    assert denials[0][:2] == ("capacity", f"Y takes no app VMs: {state}")


def test_what_this_decision_releases_receives_nobody():
    seen = cluster({"X": ["a"], "Y": [], "Z": []})
    denials = judged(seen, consolidate("Y"), separate("X", "a>Y"))
    assert denials[0][:2] == ("capacity", "Y takes no app VMs: about to be released")


@pytest.mark.parametrize(("used", "fits"), [(3.1, True), (3.11, False)])
def test_cpu_headroom_is_kept_by_usage(used, fits):
    limits = replace(FREE, cpu_headroom_fraction=0.1)
    denials = judged(two(cpu={"a": used}), separate("X", "a>Y"), limits=limits)  # 0.5 of 4 cores are c's
    reason = "Y would be at 90.2% of its cpu, 10.0% is kept free"
    assert denials == ([] if fits else [("headroom", reason, "limits.headroom.cpu <= 0.0975", None)])


def test_cpu_on_its_way_counts_for_headroom():
    from autoscaler.core.effect import Arrival

    limits = replace(FREE, cpu_headroom_fraction=0.1)
    busy = [Arrival(app("b"), "Y")]  # uses 0.5 cores where it still is
    assert judged(two(cpu={"a": 2.6}), separate("X", "a>Y"), limits=limits, arriving=busy) == []
    assert judged(two(cpu={"a": 2.7}), separate("X", "a>Y"), limits=limits, arriving=busy)[0][0] == "headroom"


@pytest.mark.parametrize(("mib", "fits"), [(1800, True), (1801, False)])
def test_memory_headroom_is_kept_by_allocation(mib, fits):
    limits = replace(FREE, memory_headroom_fraction=0.05)
    seen = cluster({"X": [app("a", mib=mib)], "Y": ["c"]}, sizes={"X": "large"})
    denials = judged(seen, separate("X", "a>Y"), limits=limits)
    reason = "Y would be at 95.0% of its memory, 5.0% is kept free"  # 95.05 %
    assert denials == ([] if fits else [("headroom", reason, "limits.headroom.memory <= 0.0495", None)])


def test_both_headrooms_are_told_and_a_full_cloud_vm_asks_for_another():
    limits = replace(FREE, cpu_headroom_fraction=0.5, memory_headroom_fraction=0.5)
    seen = cluster({"X": [app("a", mib=1000)], "Y": ["c"]}, cpu={"a": 4.0})
    (denial,) = judged(seen, separate("X", "a>Y"), limits=limits)
    assert denial[2] == "a cloud VM with more cpu than Y and limits.headroom.memory <= 0.4500"
    assert denial[1].count("is kept free") == 2


def test_a_cloud_vm_created_to_relieve_may_start_above_its_headroom_one_created_to_save_may_not():
    limits = replace(FREE, cpu_headroom_fraction=0.1)
    seen = cluster({"X": [app("a")]}, cpu={"a": 1.9}, sizes={"X": "medium"})
    assert judged(seen, separate("X", "a>", "small"), limits=limits) == []
    assert judged(seen, scale_down("X", "small"), limits=limits)[0][0] == "headroom"


@pytest.mark.parametrize(("lasted", "denied"), [(299.0, True), (300.0, False)])
def test_a_wish_must_last(lasted, denied):
    limits = replace(FREE, stabilization_s={Action.CONSOLIDATE: 300.0})
    ledger = Ledger(wanted_since={(Action.CONSOLIDATE, "X"): T0 - lasted})
    expected = [
        ("stabilization", "wanted for 299 s, must last 300 s", "limits.stabilization.consolidate <= 299s", T0 + 1)
    ]
    assert judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=ledger) == (expected if denied else [])
    never = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits)
    assert never[0][3] == T0 + 300.0


@pytest.mark.parametrize(("passed", "denied"), [(599.5, True), (600.0, False)])
@pytest.mark.parametrize("touched", ["X", "a"])
def test_a_cooldown_counts_from_the_last_touch_of_any_subject(passed, denied, touched):
    limits = replace(FREE, cooldown_s={Action.CONSOLIDATE: 600.0})
    ledger = Ledger(touched={(False, touched): T0 - passed})
    reason = f"{touched} was last touched 600 s ago, cooldown 600 s"
    expected = [("cooldown", reason, "limits.cooldown.consolidate <= 599s", T0 + 0.5)]
    assert judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=ledger) == (expected if denied else [])


def test_each_direction_has_its_own_cooldown_and_moving_is_not_scaling():
    limits = replace(FREE, cooldown_s={Action.SCALE_IN: 600.0, Action.SCALE_OUT: 60.0, Action.CONSOLIDATE: 600.0})
    seen = cluster(WEB, services=[service("web")])
    ledger = Ledger(touched={(True, "web"): T0 - 100.0, (True, "web-3"): T0 - 100.0})
    assert judged(seen, scale_out("web", "Y"), limits=limits, ledger=ledger) == []
    assert judged(seen, scale_in("web", "web-3"), limits=limits, ledger=ledger)[0][0] == "cooldown"
    assert judged(seen, consolidate("Y", "web-3>X"), limits=limits, ledger=ledger) == []


def grants(*ages, action=Action.CONSOLIDATE, key="Q", migrations=1):
    return tuple(Grant(T0 - age, action, key, (key,), migrations) for age in ages)


def test_a_count_per_hour_is_used_up_and_frees_when_the_oldest_runs_out():
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), count=2),))
    wish = consolidate("X", "a>Y b>Y")
    assert judged(two(), wish, limits=limits, ledger=Ledger(grants(3599.0))) == []
    assert judged(two(), wish, limits=limits, ledger=Ledger(grants(3600.0, 10.0))) == []
    reason = "2 actions used of 2 per 3600 s, 1 more wanted"
    spent = judged(two(), wish, limits=limits, ledger=Ledger(grants(3599.0, 10.0)))
    assert spent == [("budget", reason, "limits.budgets[0].count >= 3", T0 + 1.0)]
    other = judged(two(), wish, limits=limits, ledger=Ledger(grants(5.0, 6.0, action=Action.SCALE_UP)))
    assert other == []


def test_a_budget_lowered_below_what_is_spent_frees_when_enough_has_run_out():
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), count=1),))
    spent = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=Ledger(grants(3000.0, 2000.0, 1000.0)))
    assert spent[0][2:] == ("limits.budgets[0].count >= 4", T0 + 2600.0)
    never = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), count=0),))
    assert judged(two(), consolidate("X", "a>Y b>Y"), limits=never)[0][3] is None


def test_a_count_per_tick_counts_this_decision_only_and_frees_at_the_next():
    limits = replace(FREE, budgets=(Budget((Action.SEPARATE, Action.CONSOLIDATE), count=1, per_s=None),))
    wish = separate("X", "a>Y")
    assert judged(two(), wish, limits=limits, ledger=Ledger(grants(1.0, 2.0))) == []
    reason = "1 actions used of 1 per tick, 1 more wanted"
    second = judged(two(), separate("X", "b>Y"), wish, limits=limits)
    assert second == [("budget", reason, "limits.budgets[0].count >= 2", T0 + 60.0)]


@pytest.mark.parametrize(("before", "denied"), [(3, False), (4, True)])
def test_migrations_have_a_budget_of_their_own(before, denied):
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), migrations=5),))
    ledger = Ledger(grants(1800.0, migrations=before))
    reason = "4 migrations used of 5 per 3600 s, 2 more wanted"
    expected = [("budget", reason, "limits.budgets[0].migrations >= 6", T0 + 1800.0)]
    assert judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=ledger) == (expected if denied else [])


def test_a_wish_with_more_migrations_than_the_whole_budget_never_frees():
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), migrations=1),))
    denial = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=Ledger(grants(5.0)))[0]
    assert denial[2:] == ("limits.budgets[0].migrations >= 3", None)


def test_a_share_is_of_the_service_s_replicas_before_and_rounds_up():
    limits = replace(FREE, budgets=(Budget((Action.SCALE_IN,), per_cent=34.0),))
    seen = cluster(WEB, services=[service("web")])  # 34 % of 3 are 1.02: two
    assert judged(seen, scale_in("web", "web-1"), scale_in("web", "web-2"), limits=limits) == []
    tight = replace(FREE, budgets=(Budget((Action.SCALE_IN,), per_cent=33.0),))
    reason = "1 of 3 (33 %) used of 1 per 3600 s, 1 more wanted"
    second = judged(seen, scale_in("web", "web-1"), scale_in("web", "web-2"), limits=tight)
    assert second == [("budget", reason, "limits.budgets[0].per_cent >= 33.333335", T0 + 3600.0)]
    helped = replace(FREE, budgets=(Budget((Action.SCALE_IN,), per_cent=33.333335),))
    assert judged(seen, scale_in("web", "web-1"), scale_in("web", "web-2"), limits=helped) == []
    none = replace(FREE, budgets=(Budget((Action.SCALE_IN,), per_cent=0.0),))
    assert judged(seen, scale_in("web", "web-1"), limits=none)[0][0] == "budget"


def test_a_share_of_moves_is_of_the_cloud_vms_and_other_services_do_not_count():
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), per_cent=50.0),))
    assert judged(two(), consolidate("X", "a>Y b>Y"), limits=limits) == []
    spent = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits, ledger=Ledger(grants(5.0)))
    assert spent[0][1] == "1 of 2 (50 %) used of 1 per 3600 s, 1 more wanted"
    scaled = replace(FREE, budgets=(Budget((Action.SCALE_OUT,), per_cent=10.0),))
    seen = cluster(WEB, services=[service("web"), service("api")])
    others = Ledger(grants(5.0, action=Action.SCALE_OUT, key="api"))
    assert judged(seen, scale_out("web", "Y"), limits=scaled, ledger=others) == []


def test_outside_its_windows_an_action_is_denied_until_the_next_one_opens():
    nights = Window(tuple(range(7)), 22 * 60, 6 * 60, "Europe/Zurich")
    limits = replace(FREE, budgets=(Budget((Action.CONSOLIDATE,), windows=(nights,)),))
    day = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits)  # T0 is 1970-01-12 14:46:40 in Zurich
    reason = "consolidate is allowed only inside its windows; it is Monday 14:46 Europe/Zurich"
    relax = "limits.budgets[0].windows: one with Monday 14:46 Europe/Zurich"
    assert day == [("budget", reason, relax, T0 + 7 * 3600 + 13 * 60 + 20)]
    assert judged(two(at=day[0][3]), consolidate("X", "a>Y b>Y"), limits=limits) == []


def test_all_budgets_that_speak_of_an_action_must_allow_it_and_all_are_told():
    limits = replace(
        FREE,
        budgets=(Budget((Action.CONSOLIDATE,), count=0), Budget((Action.CONSOLIDATE,), migrations=1, per_s=None)),
    )
    (denial,) = judged(two(), consolidate("X", "a>Y b>Y"), limits=limits)
    assert denial[2] == "limits.budgets[0].count >= 1 and limits.budgets[1].migrations >= 2"


def test_the_pauses_of_a_day_stay_within_the_downtime_budget():
    """100 MiB, half in use, nothing dirtied: 0.2 s of pause."""
    seen = cluster({"X": [app("a", downtime_budget_s=1.0)], "Y": ["c"]})
    spent = Ledger(pauses={"a": (Pause(T0 - DAY_S + 50, 0.3), Pause(T0 - 10, 0.5))})
    assert judged(seen, separate("X", "a>Y"), ledger=spent) == []
    over = Ledger(pauses={"a": (Pause(T0 - DAY_S + 50, 0.3), Pause(T0 - 10, 0.51))})
    reason = "a may be paused 0.20 s on top of 0.81 s in 24 h, budget 1.00 s"
    denial = ("downtime_budget", reason, "a.downtime_budget >= 1.01s", T0 + 50)
    assert judged(seen, separate("X", "a>Y"), ledger=over) == [denial]
    old = Ledger(pauses={"a": (Pause(T0 - DAY_S, 0.9),)})
    assert judged(seen, separate("X", "a>Y"), ledger=old) == []


def test_the_pause_counted_is_of_the_most_it_dirtied_lately_on_a_link_that_others_share():
    """1000 MiB in use. Half the link's 125 MB/s: what dirties 125 MB/s is not caught up with, 50 MB/s hardly."""
    seen = cluster({"X": [app("a", mib=2000, downtime_budget_s=9.0)], "Y": []}, sizes={"Y": "large"}, dirty=125e6)
    whole = 1000 * MIB / 62.5e6
    (denial,) = judged(seen, consolidate("X", "a>Y"))
    assert denial[1] == f"a may be paused {0.2 + whole:.2f} s on top of 0.00 s in 24 h, budget 9.00 s"
    assert judged(seen, separate("X", "a>Y")) == []  # relief: by the newest sample and the whole link, 8.6 s
    calm_again = replace(snapshot(seen), usage={**snapshot(seen).usage, DIRTY: np.array([[50e6, np.nan, 0.0]])})
    assert longest_pause_s("a", calm_again, FREE) == pytest.approx(0.2 + whole * (50 / 62.5) ** 5)
    alone = replace(FREE, parallel_migrations_per_cloud_vm=1)
    assert longest_pause_s("a", calm_again, alone) == pytest.approx(0.2 + whole / 2 * (50 / 125) ** 5)


def test_the_policy_s_downtime_budget_holds_for_whoever_has_none_and_never_frees_when_one_move_is_too_much():
    limits = replace(FREE, downtime_budget_s=0.1)
    (denial,) = judged(two(), separate("X", "a>Y"), limits=limits)
    assert denial[2:] == ("limits.downtime_budget >= 0.20s", None)
    own = cluster({"X": [app("a", downtime_budget_s=0.2)], "Y": []})
    assert judged(own, separate("X", "a>Y"), limits=limits) == []


def test_a_saving_must_be_worth_its_disruption():
    """X is half of the bill; two of three equal app VMs move: 0.5 / 0.667 = 0.75, needed 1/k."""
    wish = consolidate("X", "a>Y b>Y")
    assert judged(two(), wish, limits=replace(FREE, worth_it_k=1.34)) == []
    reason = "saves 50.0% of the bill for 66.7% of all disruption: score 0.75, needed 0.75"
    denial = judged(two(), wish, limits=replace(FREE, worth_it_k=1.33))
    assert denial == [("worth_it", reason, "limits.worth_it.k >= 1.34", None)]
    assert judged(two(), wish, limits=replace(FREE, worth_it_k=0.0))[0][0] == "worth_it"


def test_what_serves_demand_or_moves_nobody_need_not_be_worth_it_and_a_loss_never_is():
    strict = replace(FREE, worth_it_k=0.01)
    assert judged(two(), scale_up("X", "large"), limits=strict) == []
    assert judged(cluster({"X": [], "Y": ["c"]}), consolidate("X"), limits=strict) == []
    dear = cluster({"X": [app("a")]}, sizes={"X": "medium"})
    inventory = replace(dear, catalogue=(replace(dear.catalogue[0], price_per_hour=9.0), *dear.catalogue[1:]))
    (denial,) = judged(inventory, scale_down("X", "small"), limits=replace(FREE, worth_it_k=100.0))
    assert denial[2] == "a plan that costs less than what it ends"


def test_all_vetoes_are_kept_the_first_by_the_page_s_order():
    limits = replace(FREE, worth_it_k=0.01, cooldown_s={Action.CONSOLIDATE: 60.0})
    ledger = Ledger(touched={(False, "X"): T0 - 1})
    denials = judged(two(ages={"a": 999.0}), consolidate("X", "a>Y b>Y"), limits=limits, ledger=ledger, paused={"": ""})
    assert [d[0] for d in denials] == ["paused", "freshness", "cooldown", "worth_it"]
    assert len({guard.__name__ for guard in GUARDS}) == len(GUARDS) == 16


def test_numbers_are_rounded_to_the_side_that_helps():
    assert (at_least(1.001), at_least(2.0), at_least(0.123, 2)) == ("2", "2", "0.13")
    assert (at_most(1.999), at_most(2.0), at_most(0.129, 2)) == ("1", "2", "0.12")
