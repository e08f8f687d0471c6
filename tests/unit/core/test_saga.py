"""The saga alone, with eyes that a test opens and shuts: it never looks at what a step does."""

from dataclasses import replace

import pytest
from stories import did

from autoscaler.core.effect import Effect, Relocation
from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.model import Action
from autoscaler.core.saga import Eyes, Goal, Run, Saga, Status, advance, came_of, ended, newly_stuck
from autoscaler.core.steps import Cordon, Migrate, ReleaseCloudVM, Step

OPEN_EYES = Eyes(
    hold=lambda _a: "",
    recheck=lambda _a, _own: "",
    reached=lambda _a: False,
    slot=lambda _a, _own: True,
    patience_s=180.0,
)
STEPS = (
    Step("s1", Cordon("X"), undo=Cordon("X", on=False)),
    Step("s2", Migrate("a", "X", "Y"), deadline_s=100.0),
    Step("s3", ReleaseCloudVM("X"), requires=("s1", "s2")),
)


def saga(*statuses, since=0.0):
    runs = [
        Run(step, Status(s), None if s in ("waiting", "skipped") else since)
        for step, s in zip(STEPS, statuses, strict=True)
    ]
    return Saga("p1", tuple(runs))


def statuses(saga):
    return [str(run.status) for run in saga.runs]


def seen(**eyes):
    return replace(OPEN_EYES, **eyes)


def about(kind, answer):
    return lambda action, *_: answer if did(action).startswith(kind) else type(answer)()


def test_what_is_not_required_starts_at_once_and_the_rest_when_that_is_done():
    first, moves = advance(saga("waiting", "waiting", "waiting"), 0.0, OPEN_EYES)
    assert ([s.id for s in moves.execute], statuses(first)) == (["s1", "s2"], ["running", "running", "waiting"])
    done = ended(ended(first, StepEnded(5.0, "s1", Outcome.DONE)), StepEnded(6.0, "s2", Outcome.DONE))
    last, moves = advance(done, 7.0, OPEN_EYES)
    assert [s.id for s in moves.execute] == ["s3"]
    assert not last.finished
    assert ended(last, StepEnded(8.0, "s3", Outcome.DONE)).outcome == "done"


def test_outcomes_of_others_and_of_what_is_not_open_change_nothing():
    done = saga("done", "running", "waiting")
    for step in ("s1", "s3", "s1.undo", "other"):
        assert ended(done, StepEnded(1.0, step, Outcome.FAILED)) == done


def test_a_step_whose_goal_is_observed_before_it_began_is_done_and_never_undone():
    there, moves = advance(saga("waiting", "waiting", "waiting"), 0.0, seen(reached=about("cordon", True)))
    assert (statuses(there)[0], [s.id for s in moves.execute]) == ("done", ["s2"])
    failed = ended(there, StepEnded(1.0, "s2", Outcome.FAILED))
    over, moves = advance(failed, 2.0, OPEN_EYES)
    assert (over.outcome, moves.undo) == ("failed", ())


@pytest.mark.parametrize("block", [{"hold": about("migrate", "paused")}, {"recheck": about("migrate", "no room")}])
def test_a_blocked_step_waits_for_its_patience_and_the_plan_is_abandoned_then(block):
    now = saga("waiting", "waiting", "waiting")
    for at in (0.0, 100.0, 179.9):
        now, moves = advance(now, at, seen(**block))
        assert now.abandoned == ""
    now, moves = advance(now, 180.0, seen(**block))
    assert now.abandoned.startswith("s2 no longer fits: ")
    assert statuses(now) == ["running", "skipped", "skipped"]
    now, moves = advance(ended(now, StepEnded(181.0, "s1", Outcome.DONE)), 182.0, seen(**block))
    assert [did(s.undo) for s in moves.undo] == ["uncordon X"]


def test_a_block_that_lifts_in_time_is_forgotten():
    now, _ = advance(saga("done", "waiting", "waiting"), 0.0, seen(hold=about("migrate", "paused")))
    now, moves = advance(now, 179.0, OPEN_EYES)
    assert [s.id for s in moves.execute] == ["s2"]
    assert now.runs[1].blocked_since is None


def test_waiting_for_a_slot_uses_up_no_patience():
    now = saga("done", "waiting", "waiting")
    for at in (0.0, 1e6):
        now, moves = advance(now, at, seen(slot=lambda _a, _own: False, hold=lambda _a: "paused"))
        assert (moves.execute, now.abandoned) == ((), "")


def test_a_step_that_began_at_time_zero_is_watched_as_any_other():
    now, moves = advance(saga("done", "running", "waiting"), 101.0, OPEN_EYES)
    assert moves.alerts == (("a", "migrate s2 is 1 s over its deadline of 100 s"),)
    now, moves = advance(now, 150.0, OPEN_EYES)
    assert moves.alerts == ()
    now, moves = advance(now, 300.5, OPEN_EYES)
    assert (statuses(now)[1], now.runs[1].reason) == ("stuck", "migrate s2 gave no outcome for 300 s")


def test_a_late_step_whose_goal_is_observed_is_done_undo_included():
    now, _ = advance(saga("done", "running", "waiting"), 101.0, seen(reached=about("migrate", True)))
    assert statuses(now) == ["done", "done", "running"]
    back = replace(saga("undoing", "failed", "skipped"), abandoned="s2 failed")
    now, moves = advance(back, 121.0, OPEN_EYES)
    assert moves.alerts == ()  # cordons have 600 s here
    now, _ = advance(back, 601.0, seen(reached=about("uncordon", True)))
    assert statuses(now)[0] == "undone"
    now, moves = advance(back, 601.0, OPEN_EYES)
    assert moves.alerts == (("X", "undo of cordon s1 is 1 s over its deadline of 600 s"),)


def test_ways_back_are_taken_last_step_first_and_owed_while_they_are_held():
    done = replace(saga("done", "failed", "skipped"), runs=(*saga("done", "failed", "skipped").runs,))
    owed, moves = advance(done, 1.0, seen(hold=about("uncordon", "X is paused")))
    assert (statuses(owed)[0], owed.runs[0].reason, moves.undo, owed.finished) == ("owed", "X is paused", (), False)
    taken, moves = advance(owed, 1e6, OPEN_EYES)
    assert [s.id for s in moves.undo] == ["s1"]
    assert ended(taken, StepEnded(1e6, "s1.undo", Outcome.DONE)).outcome == "failed"
    assert ended(taken, StepEnded(1e6, "s1.undo", Outcome.FAILED)).outcome == "stuck"
    kept, _ = advance(done, 1.0, seen(recheck=about("uncordon", "X is gone")))
    assert (statuses(kept)[0], kept.runs[0].reason, kept.finished) == ("done", "not undone: X is gone", True)
    undone, _ = advance(done, 1.0, seen(reached=about("uncordon", True)))
    assert statuses(undone)[0] == "undone"


def test_what_a_stuck_step_is_about_is_not_touched_by_a_way_back():
    stuck, moves = advance(saga("done", "done", "stuck"), 1.0, OPEN_EYES)
    assert (moves.undo, statuses(stuck)[0], stuck.outcome) == ((), "done", "stuck")
    _, moves = advance(saga("done", "stuck", "waiting"), 1.0, OPEN_EYES)
    assert [did(s.undo) for s in moves.undo] == ["uncordon X"]  # a is stuck on its way to Y; X is not its subject


def test_only_what_became_stuck_is_newly_stuck():
    before, after = saga("done", "running", "stuck"), saga("done", "stuck", "stuck")
    assert [run.step.id for run in newly_stuck(before, after)] == ["s2"]


@pytest.mark.parametrize(
    ("ends", "came"),
    [
        (("done", "done", "done"), "done"),
        (("undone", "failed", "skipped"), "failed"),
        (("done", "stuck", "skipped"), "stuck"),
        (("withheld", "withheld", "skipped"), "withheld"),
    ],
)
def test_what_came_of_a_goal_is_the_worst_of_its_steps(ends, came):
    effect = Effect(moves=(Relocation("a", "X", "Y"),), releases=("X",))
    assert came_of(Goal(Action.CONSOLIDATE, "X", effect), saga(*ends)) == came
    assert came_of(Goal(Action.CONSOLIDATE, "X", effect, infeasible=True), saga(*ends)) == "infeasible"
    assert came_of(Goal(Action.CONSOLIDATE, "Q", Effect(releases=("Q",))), saga(*ends)) == "done"
    assert saga(*ends).outcome == came
