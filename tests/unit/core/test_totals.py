"""Running totals: what is counted under which name."""

from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.proposals import Consolidate, ScaleOut
from autoscaler.core.totals import BUCKETS_S, Durations, Totals


def test_a_decision_counts_its_grants_and_the_first_veto_of_each_denial():
    out, pack = ScaleOut("web", "test"), Consolidate("X", (), "test")
    denied = Denied(pack, (Denial("budget", "spent"), Denial("worth_it", "no")))
    totals = Totals()
    totals.decided(Decision("d1", 0.0, "p", (out, out), (denied,)))
    totals.decided(Decision("d2", 0.0, "p", abstained="stale"))
    assert (totals.decisions, totals.abstained) == (2, 1)
    assert totals.actions == {"scale_out granted": 2, "consolidate denied": 1}
    assert totals.denials == {"budget": 1}


def test_a_step_counts_by_kind_and_outcome_and_its_time_only_when_it_was_done():
    totals = Totals()
    totals.step("migrate", StepEnded(0.0, "s1", Outcome.DONE, total_s=3.0, downtime_s=0.25, sent_bytes=7.0))
    totals.step("migrate", StepEnded(0.0, "s2", Outcome.FAILED, total_s=9.0))
    totals.step("cordon", StepEnded(0.0, "s3", Outcome.DONE, total_s=0.0))
    assert totals.steps == {"migrate done": 1, "migrate failed": 1, "cordon done": 1}
    assert (totals.migrations, totals.sent_bytes, totals.downtime.sum_s) == (1, 7.0, 0.25)
    assert totals.step_s["migrate"].sum_s == 3.0


def test_a_duration_goes_into_the_first_bucket_that_holds_it():
    durations = Durations()
    for value_s in (0.1, 0.11, 600.0, 601.0):
        durations.add(value_s)
    assert [
        (BUCKETS_S[n] if n < len(BUCKETS_S) else "more", count) for n, count in enumerate(durations.counts) if count
    ] == [
        (0.1, 1),
        (0.2, 1),
        (600.0, 1),
        ("more", 1),
    ]
