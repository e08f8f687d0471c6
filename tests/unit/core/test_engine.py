"""The engine by transcripts: events in, the exact commands out, for the cases in which a controller loses things."""

from dataclasses import replace

import numpy as np
import pytest
from clusters import MIB, T0, app, cluster, service
from stories import FREE, Story, consolidate, policy, scale_in, scale_out, scale_up, separate, without

from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Observed, PolicyChanged
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Condition, StrategySpec

PLACES = {"X": ["a", "b"], "Y": ["c"], "Z": []}


def seen(places=None, at=T0, **more):
    return cluster(places or PLACES, at=at, **more)


@pytest.fixture
def story():
    return Story()


def begun(story, *wishes, **more):
    """A story in which X is being emptied: X is cordoned and both its app VMs are under way."""
    story.sees(seen(**more), *(wishes or (consolidate("X", "a>Y b>Y"),)))
    return story


def cordoned(at, places=None, **more):
    return seen(places, at, states={"X": "cordoned"}, **more)


def test_a_plan_goes_step_by_step_as_outcomes_and_observations_come(story):
    assert story.sees(seen(), consolidate("X", "a>Y b>Y")) == [
        "p2.s1: cordon X",
        "p2.s2: migrate a X>Y",
        "p2.s3: migrate b X>Y",
    ]
    assert story.ends("p2.s1") == story.ends("p2.s2", downtime_s=0.3, at=T0 + 5) == []
    assert story.sees(cordoned(T0 + 10, {"X": ["b"], "Y": ["a", "c"], "Z": []})) == []
    assert story.ends("p2.s3") == []
    assert story.sees(cordoned(T0 + 20, {"X": [], "Y": ["a", "b", "c"], "Z": []})) == ["p2.s4: release X"]
    assert story.ends("p2.s4") == []
    gone = seen({"Y": ["a", "b", "c"], "Z": []}, T0 + 30)
    assert story.sees(gone) == []
    assert story.state.sagas == ()
    assert story.state.totals.actions == {"consolidate granted": 1, "consolidate done": 1}
    assert story.state.totals.steps == {"cordon done": 1, "migrate done": 2, "release_cloud_vm done": 1}
    assert story.state.ledger.downtime_s("a", T0 + 30) == 0.3


def test_the_next_decision_comes_when_it_is_due_and_every_one_is_recorded(story):
    story.sees(seen())
    story.sees(seen(at=T0 + 59))
    story.sees(seen(at=T0 + 60))
    story.sees(seen(at=T0 + 30))  # the clock was set back: no reason to wait until it has caught up
    assert [c.audit.decision.id for c in story.commands] == ["d2", "d4", "d5"]
    assert [c.cause for c in story.commands] == ["e2", "e4", "e5"]
    assert [c.id for c in story.commands] == ["e2.0", "e4.0", "e5.0"]


def test_an_outcome_reported_twice_changes_nothing(story):
    begun(story)
    story.ends("p2.s2", downtime_s=0.3, at=T0 + 5)
    before = (story.state.sagas, story.state.totals.steps.copy(), story.state.ledger)
    assert story.ends("p2.s2", downtime_s=0.3, at=T0 + 6) == []
    assert story.ends("p2.s2", "failed", at=T0 + 7) == []
    assert story.ends("p9.s9") == []
    assert (story.state.sagas, story.state.totals.steps, story.state.ledger) == before


def test_after_a_failure_nothing_new_starts_what_runs_may_end_and_the_cordon_is_taken_back(story):
    begun(story)
    story.ends("p2.s1")
    story.ends("p2.s2", "failed", reason="no route")
    assert story.sees(cordoned(T0 + 10)) == []  # b is still moving
    story.ends("p2.s3")
    assert story.sees(cordoned(T0 + 20, {"X": ["a"], "Y": ["b", "c"], "Z": []})) == ["p2.s1.undo: uncordon X"]
    story.ends("p2.s1.undo")
    story.sees(seen({"X": ["a"], "Y": ["b", "c"], "Z": []}, T0 + 30))
    assert story.state.sagas == ()
    assert story.state.totals.actions["consolidate failed"] == 1


def test_a_created_cloud_vm_is_given_back_when_its_plan_fails_before_anybody_moved(story):
    assert begun(story, scale_up("X", "large")).statuses() == [
        "p2.s1 running",
        "p2.s2 running",
        *(f"p2.s{n} waiting" for n in (3, 4, 5)),
    ]
    story.ends("p2.s1")
    story.ends("p2.s2")
    fresh = {"X": ["a", "b"], "Y": ["c"], "Z": [], "cloud-2-1": []}
    ready = cordoned(T0 + 90, fresh, sizes={"cloud-2-1": "large"})
    assert story.sees(ready) == ["p2.s3: migrate a X>cloud-2-1", "p2.s4: migrate b X>cloud-2-1"]
    story.ends("p2.s3", "failed")
    story.ends("p2.s4", "failed")
    again = cordoned(T0 + 100, fresh, sizes={"cloud-2-1": "large"})
    assert story.sees(again) == ["p2.s2.undo: release cloud-2-1", "p2.s1.undo: uncordon X"]


def test_a_created_cloud_vm_that_is_in_use_is_not_given_back(story):
    begun(story, scale_up("X", "large"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    fresh = {"X": ["a", "b"], "Y": ["c"], "Z": [], "cloud-2-1": []}
    story.sees(cordoned(T0 + 90, fresh, sizes={"cloud-2-1": "large"}))
    story.ends("p2.s3")
    story.ends("p2.s4", "failed")
    moved = {"X": ["b"], "Y": ["c"], "Z": [], "cloud-2-1": ["a"]}
    assert story.sees(cordoned(T0 + 100, moved, sizes={"cloud-2-1": "large"})) == ["p2.s1.undo: uncordon X"]


def test_a_created_cloud_vm_to_which_another_plan_s_start_is_heading_waits_for_it_and_stays(story):
    fresh = {"X": ["a", "b"], "Y": ["c"], "cloud-2-1": [], "Z": []}
    story.sees(seen(services=[service("web", mib=50)]), scale_up("X", "large"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    more = {"sizes": {"cloud-2-1": "large"}, "services": [service("web", mib=50)]}
    lines = story.sees(cordoned(T0 + 90, fresh, **more), scale_out("web", "cloud-2-1"))
    assert lines == ["p2.s3: migrate a X>cloud-2-1", "p2.s4: migrate b X>cloud-2-1"]
    assert "p5.s1 waiting" in story.statuses()  # two arrivals are under way there already: no slot
    story.ends("p2.s3", "failed")
    story.ends("p2.s4", "failed")
    # p2 comes first and would release cloud-2-1; p5's start is on its way there, so it must wait.
    assert story.sees(cordoned(T0 + 100, fresh, **more)) == [
        "p2.s1.undo: uncordon X",
        "p5.s1: start web-5-1 on cloud-2-1",
    ]
    assert "p2.s2 owed" in story.statuses()
    story.ends("p5.s1")
    story.ends("p2.s1.undo")
    arrived = {**fresh, "cloud-2-1": [app("web-5-1", mib=50)]}
    assert story.sees(seen(arrived, T0 + 110, **more)) == []
    assert story.state.sagas == ()


def test_nobody_is_sent_to_a_cloud_vm_that_a_plan_is_emptying_even_before_its_cordon_is_seen(story):
    web = [service("web", mib=50)]
    story.sees(seen(services=web), consolidate("X", "a>Y b>Y"))
    lines = story.sees(seen(at=T0 + 60, services=web), scale_out("web", "X"))
    assert lines == ["scale_out web: in_flight"]
    story.ends("p2.s2")
    moved = {"X": ["b"], "Y": ["a", "c"], "Z": []}
    lines = story.sees(seen(moved, T0 + 120, services=web), scale_out("web"))
    assert lines == ["p5.s1: start web-5-1 on Y"]


def test_a_step_whose_outcome_never_comes_is_overdue_then_stuck_and_what_it_was_about_is_left_alone(story):
    begun(story)
    story.ends("p2.s1")
    story.ends("p2.s3")
    late = {"X": ["a"], "Y": ["b", "c"], "Z": []}
    assert story.sees(cordoned(T0 + 121, late)) == ["alert: migrate p2.s2 is 1 s over its deadline of 120 s"]
    assert story.sees(cordoned(T0 + 200, late)) == []
    assert story.sees(cordoned(T0 + 361, late)) == [
        "p2.s1.undo: uncordon X",
        "alert: a is stuck: migrate p2.s2 gave no outcome for 361 s",
    ]
    assert story.state.stuck.keys() == {"a", "Y"}  # it may still arrive on Y
    story.ends("p2.s1.undo")
    story.sees(seen(late, T0 + 370))
    assert story.state.sagas == ()
    assert story.state.totals.actions["consolidate stuck"] == 1
    assert story.sees(seen(late, T0 + 430), separate("X", "a>Z")) == ["separate X: stuck"]
    story.ends("p2.s2")  # too late: a person has been called
    story.says("resume", "a", at=T0 + 480)
    assert story.sees(seen(late, T0 + 490), separate("X", "a>Z")) == ["p13.s1: migrate a X>Z"]


def test_a_step_whose_outcome_never_comes_but_whose_goal_is_observed_is_done(story):
    begun(story)
    for step in ("p2.s1", "p2.s3"):
        story.ends(step)
    moved = {"X": [], "Y": ["a", "b", "c"], "Z": []}
    assert story.sees(cordoned(T0 + 100, moved)) == []  # not late yet: its outcome tells more
    assert story.sees(cordoned(T0 + 121, moved)) == ["p2.s4: release X"]


def test_a_stuck_release_is_not_followed_by_an_uncordon(story):
    story.sees(seen({"X": [], "Y": ["c"]}), consolidate("X"))
    story.ends("p2.s1")
    empty = {"X": [], "Y": ["c"]}
    assert story.sees(cordoned(T0 + 1, empty)) == ["p2.s2: release X"]
    story.sees(cordoned(T0 + 122, empty))
    assert story.sees(cordoned(T0 + 362, empty)) == [
        "alert: X is stuck: release_cloud_vm p2.s2 gave no outcome for 361 s"
    ]
    assert story.state.sagas == ()
    assert story.state.stuck.keys() == {"X"}


def test_an_undo_that_fails_is_stuck_and_told_at_once(story):
    begun(story)
    for step, outcome in (("p2.s1", "done"), ("p2.s2", "failed"), ("p2.s3", "failed")):
        story.ends(step, outcome)
    assert story.sees(cordoned(T0 + 5)) == ["p2.s1.undo: uncordon X"]
    assert story.ends("p2.s1.undo", "failed", reason="agent is gone") == ["alert: X is stuck: agent is gone"]
    story.sees(cordoned(T0 + 10))
    assert (story.state.sagas, dict(story.state.stuck)) == ((), {"X": "agent is gone"})


def test_when_the_target_dies_mid_plan_the_rest_is_given_up_and_the_cordon_taken_back(story):
    story.sees(seen(), consolidate("X", "a>Y b>Z"))
    story.ends("p2.s1")
    story.ends("p2.s2", "failed", reason="cloud VM Y died")
    story.ends("p2.s3")
    assert story.sees(cordoned(T0 + 10, {"X": ["a"], "Z": ["b"]})) == ["p2.s1.undo: uncordon X"]


def test_when_a_cloud_vm_dies_before_its_step_began_the_plan_is_abandoned_after_the_patience(story):
    limits = replace(FREE, parallel_migrations=1)
    story = Story(limits)
    story.sees(seen(), consolidate("X", "a>Y b>Z"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    dead = {"X": ["b"], "Y": ["a", "c"]}
    for at in (10, 100, 189):
        assert story.sees(cordoned(T0 + at, dead)) == []
        assert story.statuses()[2] == "p2.s3 waiting"
    assert story.sees(cordoned(T0 + 190, dead)) == ["p2.s1.undo: uncordon X"]
    assert story.state.sagas[0].abandoned == "p2.s3 no longer fits: cloud VM Z is gone"


def test_when_an_app_vm_vanishes_mid_plan_its_stop_is_done_and_its_move_is_not():
    web = [service("web")]
    story = Story(replace(FREE, parallel_migrations=1))
    places = {"X": ["a", "b"], "Y": ["web-1"], "Z": []}
    story.sees(seen(places, services=web), consolidate("X", "a>Z b>Z"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    gone = {"X": [], "Y": ["web-1"], "Z": ["a"]}
    assert story.sees(cordoned(T0 + 10, gone, services=web)) == []
    assert story.sees(cordoned(T0 + 191, gone, services=web)) == ["p2.s1.undo: uncordon X"]
    assert story.state.sagas[0].abandoned == "p2.s3 no longer fits: app VM b is gone"


@pytest.mark.parametrize("subject", ["", "b", "Y", "db"])
def test_a_pause_mid_plan_holds_what_has_not_begun_and_its_way_back_until_it_may(subject):
    story = Story(replace(FREE, parallel_migrations=1))
    places = {"X": ["a", app("b", service="db")], "Y": ["c"], "Z": []}
    story.sees(seen(places), consolidate("X", "a>Z b>Y"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    story.says("pause", subject, at=T0 + 5, why="incident")
    moved = {"X": [app("b", service="db")], "Y": ["c"], "Z": ["a"]}
    assert story.sees(cordoned(T0 + 10, moved)) == []
    assert story.statuses()[2] == "p2.s3 waiting"
    assert story.state.sagas[0].runs[2].reason == f"{subject or 'the cluster'} is paused"
    lines = story.sees(cordoned(T0 + 190, moved))  # too long: the plan is given up
    assert lines == ([] if subject == "" else ["p2.s1.undo: uncordon X"])
    if subject == "":
        assert story.statuses()[0] == "p2.s1 owed"
        story.says("resume", at=T0 + 400)
        assert story.sees(cordoned(T0 + 410, moved)) == ["p2.s1.undo: uncordon X"]


def test_a_short_pause_delays_a_plan_and_no_more():
    story = Story(replace(FREE, parallel_migrations=1))
    story.sees(seen(), consolidate("X", "a>Z b>Z"))
    story.says("pause", at=T0 + 5)
    story.ends("p2.s1")
    story.ends("p2.s2")
    moved = {"X": ["b"], "Y": ["c"], "Z": ["a"]}
    assert story.sees(cordoned(T0 + 10, moved)) == []
    story.says("resume", at=T0 + 100)
    assert story.sees(cordoned(T0 + 110, moved)) == ["p2.s3: migrate b X>Z"]


@pytest.mark.parametrize("stale", ["b", "c", "everybody"])
def test_a_step_of_a_plan_does_not_start_on_stale_data(stale):
    story = Story(replace(FREE, parallel_migrations=1))
    story.sees(seen(), consolidate("X", "a>Y b>Y"))
    story.ends("p2.s1")
    story.ends("p2.s2")
    ages = dict.fromkeys("abc", 181.0) if stale == "everybody" else {stale: 181.0}
    moved = {"X": ["b"], "Y": ["a", "c"], "Z": []}
    story.sees(cordoned(T0 + 10, moved, ages=ages))
    assert story.statuses()[2] == "p2.s3 waiting"
    assert "181 s old (limit 180 s)" in story.state.sagas[0].runs[2].reason
    assert story.sees(cordoned(T0 + 20, moved)) == ["p2.s3: migrate b X>Y"]


def test_a_way_back_is_not_taken_on_stale_data_but_owed(story):
    begun(story)
    for step, outcome in (("p2.s1", "done"), ("p2.s2", "failed"), ("p2.s3", "failed")):
        story.ends(step, outcome)
    assert story.sees(cordoned(T0 + 10, ages={"a": 181.0})) == []
    assert story.statuses()[0] == "p2.s1 owed"
    assert story.sees(cordoned(T0 + 20)) == ["p2.s1.undo: uncordon X"]


def test_nothing_is_even_proposed_when_not_one_sample_is_fresh(story):
    old = seen(ages=dict.fromkeys("abc", 200.0))
    assert story.sees(old, consolidate("X", "a>Y b>Y")) == [
        "stale: the newest sample of all is 200 s old (limit 180 s)"
    ]


def test_a_wish_must_be_seen_again_after_it_could_not_be_seen():
    story = Story(replace(FREE, stabilization_s={Action.CONSOLIDATE: 100.0}))
    story.wishes.next = lambda _snapshot: (consolidate("X", "a>Y b>Y"),)
    assert story.sees(seen()) == ["consolidate X: stabilization"]
    story.sees(seen(at=T0 + 60, ages=dict.fromkeys("abc", 200.0)))
    assert story.sees(seen(at=T0 + 120)) == ["consolidate X: stabilization"]
    assert story.sees(seen(at=T0 + 180)) == ["consolidate X: stabilization"]
    assert story.sees(seen(at=T0 + 240))[0] == "p6.s1: cordon X"


def test_two_plans_on_one_cloud_vm_never_take_more_than_it_has():
    """A stranger takes room on Y after both plans were made: the second arrival is refused, not squeezed in."""
    story = Story(replace(FREE, parallel_migrations_per_cloud_vm=1))
    places = {"X": [app("a", 900)], "Y": [], "Z": [app("b", 900)]}
    assert story.sees(seen(places), separate("X", "a>Y")) == ["p2.s1: migrate a X>Y"]
    assert story.sees(seen(places, T0 + 60), separate("Z", "b>Y")) == []  # no slot yet
    limits = replace(FREE, parallel_migrations_per_cloud_vm=2)
    story.tell(PolicyChanged(T0 + 61, policy(limits)))
    crowded = {"X": [app("a", 900)], "Y": [app("stranger", 300)], "Z": [app("b", 900)]}
    assert story.sees(seen(crowded, T0 + 70)) == []
    reason = "Y has 800 MiB left of 2000 MiB, 900 MiB are needed"
    assert story.state.sagas[1].runs[0].reason == reason


def test_a_policy_change_mid_plan_lets_the_plan_go_on_under_the_new_limits():
    story = Story(replace(FREE, parallel_migrations=1))
    story.sees(seen(), consolidate("X", "a>Z b>Z"))
    story.ends("p2.s1")
    assert story.sees(cordoned(T0 + 10)) == []
    story.tell(PolicyChanged(T0 + 20, policy(FREE)))
    assert story.sees(cordoned(T0 + 30)) == ["p2.s3: migrate b X>Z"]


def test_a_policy_that_cannot_be_used_is_refused_and_the_old_one_stays(story):
    def build(spec):
        if spec.name == "broken":
            raise TypeError("no such parameter: upp")
        return story.wishes

    story.engine._toolbox = Toolbox(build_strategy=build, compile_condition={"true": lambda _v: True}.__getitem__)
    broken = replace(policy(), name="new", strategy=StrategySpec("broken"))
    assert story.tell(PolicyChanged(T0, broken)) == [
        "alert: policy new cannot be used, test stays: TypeError: no such parameter: upp"
    ]
    unknown = replace(policy(), name="new", conditions=(Condition((), "false", ""),))
    assert story.tell(PolicyChanged(T0, unknown))[0].startswith(
        "alert: policy new cannot be used, test stays: KeyError"
    )
    assert story.sees(seen(), separate("X", "a>Z")) == ["p4.s1: migrate a X>Z"]


@pytest.mark.parametrize(
    ("wished", "reason"),
    [
        (lambda _s: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _s: ["scale out!"], "TypeError: proposed 'scale out!', which is none of the six actions"),
        (lambda _s: [replace(scale_out("web"), reason="")], "ValueError: proposed scale_out of web without a reason"),
    ],
)
def test_a_strategy_that_fails_costs_one_decision_and_is_told(story, wished, reason):
    story.wishes.next = wished
    said = f"strategy failed: wishes: {reason}"
    assert story.sees(seen()) == [said, f"alert: {said}"]
    story.wishes.next = ()
    assert story.sees(seen(at=T0 + 60)) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"placement": np.array([0, 0, 7])}, "placement names a row outside the 3 cloud VMs"),
        ({"placement": np.array([0, 0])}, "placement has shape (2,) for 3 app VMs"),
        (
            {"sampled_at": np.array([T0, T0, np.nan])},
            "sampled_at is NaN for some app VM: it should be when it was first seen",
        ),
        ({"samples": {"cpu_cores": np.zeros(4)}}, "cpu_cores has shape (4,) for 3 app VMs"),
        ({"app_vms": (app("a"), app("b"), app("a"))}, "app VM a was reported twice"),
    ],
)
def test_an_observation_that_contradicts_itself_is_refused_and_told(story, change, reason):
    story.sees(seen())
    before = story.state.history
    lines = story.sees(replace(seen(at=T0 + 60), **change), separate("X", "a>Z"))
    assert lines == [f"alert: an observation was refused, the last one stays: {reason}"]
    assert story.state.history is before


def test_grants_quiet_times_and_pauses_come_back_from_the_events_alone():
    """What a restart does: the same events through a new engine give the same state, budgets held included."""
    limits = replace(FREE, budgets=(Budget((Action.SEPARATE,), count=1),), cooldown_s={Action.SEPARATE: 100.0})
    story = Story(limits)
    story.wishes.next = lambda snapshot: (separate("X", "a>Z"),) if snapshot.at == T0 else ()
    story.sees(seen())
    story.ends("p2.s1", downtime_s=0.2, at=T0 + 3)
    moved = {"X": ["b"], "Y": ["c"], "Z": ["a"]}
    story.sees(seen(moved, T0 + 10))
    twin = Engine(story.engine._toolbox)
    for event in story.events:
        twin.handle(event)
    assert twin.state.ledger == story.state.ledger
    assert twin.state.totals == story.state.totals
    story.engine = twin
    assert story.sees(seen(moved, T0 + 70), separate("X", "b>Z")) == ["separate X: cooldown"]
    vetoes = [d.guard for d in story.commands[-1].audit.decision.denied[0].denials]
    assert vetoes == ["cooldown", "budget"]


def test_quiet_time_counts_from_the_end_of_the_plan_not_only_from_its_grant():
    story = Story(replace(FREE, cooldown_s={Action.SEPARATE: 100.0}))
    story.sees(seen(), separate("X", "a>Z"))
    moved = {"X": ["b"], "Y": ["c"], "Z": ["a"]}
    story.ends("p2.s1", at=T0 + 90)
    story.sees(seen(moved, T0 + 91))
    assert story.sees(seen(moved, T0 + 190), separate("X", "b>Z")) == ["separate X: cooldown"]
    assert story.sees(seen(moved, T0 + 250), separate("X", "b>Z")) == ["p6.s1: migrate b X>Z"]


def test_a_service_is_left_to_the_plan_that_changes_its_replicas():
    web = [service("web", mib=50)]
    story = Story()
    assert story.sees(seen({"X": ["web-1"]}, services=web), scale_out("web")) == ["p2.s1: start web-2-1 on X"]
    assert story.sees(seen({"X": ["web-1"]}, T0 + 60, services=web), scale_out("web"), scale_in("web", "web-1")) == [
        "scale_out web: in_flight; scale_in web: in_flight"
    ]


def test_in_shadow_a_withheld_step_ends_its_plan_and_counts_as_withheld(story):
    begun(story)
    for step in ("p2.s1", "p2.s2", "p2.s3"):
        story.ends(step, "withheld")
    assert story.sees(seen(at=T0 + 10)) == []
    assert story.state.totals.actions == {"consolidate granted": 1, "consolidate withheld": 1}


def test_long_gone_pauses_and_stuck_steps_are_forgotten_and_short_absences_are_not(story):
    story.sees(seen())
    story.says("pause", "a", at=T0)
    story.says("pause", "", at=T0)
    away = {"X": ["b"], "Y": ["c"], "Z": []}
    story.sees(seen(away, T0 + 86400))
    story.sees(seen(at=T0 + 2 * 86400))
    story.sees(seen(away, T0 + 9 * 86400))
    assert story.state.paused.keys() == {"a", ""}
    lines = story.sees(seen(away, T0 + 9 * 86400 + 1))
    assert lines == ["alert: a is no longer remembered as paused or stuck: it has not been seen for 7 days"]
    assert story.state.paused.keys() == {""}


def test_cost_is_counted_between_observations(story):
    story.sees(seen())  # three medium cloud VMs at 2.0 per hour
    story.sees(seen({"X": ["a", "b"], "Y": ["c"]}, T0 + 1800))
    story.sees(seen({"X": ["a", "b"], "Y": ["c"]}, T0 + 3600))
    assert story.state.totals.cost == pytest.approx(6.0 * 0.5 + 4.0 * 0.5)


def test_a_preview_changes_nothing(story):
    story.wishes.next = lambda _s: (separate("X", "a>Z"),)
    story.sees(seen())
    before = (story.state.ledger, story.state.sagas, story.state.decided_at)
    assert story.engine.wish().decision.denied[0].denials[0].guard == "in_flight"
    assert (story.state.ledger, story.state.sagas, story.state.decided_at) == before


def test_without_a_policy_nothing_is_decided_and_an_empty_cluster_is_nothing_to_manage():
    assert Engine(Toolbox(lambda _s: None, lambda _t: None)).wish().decision.abstained == "no policy is loaded"
    story = Story()
    assert story.sees(seen({"X": []})) == ["nothing to manage: no app VM, no service"]
    empty = seen({"X": []}, T0 + 60, services=[service("web")])
    assert story.sees(empty, scale_out("web")) == ["p3.s1: start web-3-1 on X"]


def test_identity_that_is_not_repeated_stays(story):
    first = seen()
    story.sees(first)
    brief = Observed(T0 + 60, first.placement, first.sampled_at + 60, first.samples)
    assert story.sees(brief, separate("X", "a>Z")) == ["p3.s1: migrate a X>Z"]
    assert [c.id for c in without(first, "Y")] == ["X", "Z"]
    assert first.app_vms[0].memory_bytes == 100 * MIB


def test_what_contradicts_itself_is_told_once_and_left_alone_until_it_does_not(story):
    def doubted(at):
        return replace(seen(at=at), doubts={"a": "it runs on X and on Z at once"})

    assert story.sees(doubted(T0), separate("X", "a>Z")) == [
        "alert: a: it runs on X and on Z at once",
        "separate X: stuck",
    ]
    assert story.sees(doubted(T0 + 60), separate("X", "a>Z")) == ["separate X: stuck"]
    assert story.says("resume", "a", at=T0 + 90) == []
    assert story.state.alone == {"a": "it runs on X and on Z at once"}, "only an observation ends a doubt"
    assert story.sees(seen(at=T0 + 120), separate("X", "a>Z")) == ["p5.s1: migrate a X>Z"]
    assert story.state.alone == {}
