"""Predictions that follow what migrations took: exact medians, and one cluster's story through engine, restart and refusal."""

from dataclasses import replace

import pytest
from clusters import T0, cluster
from stories import FREE, Story, Wishes, consolidate, separate, toolbox

from autoscaler.adapters import codec
from autoscaler.core.correction import REMEMBERED, Correction, Ratio
from autoscaler.core.engine import Engine
from autoscaler.core.events import Record
from autoscaler.core.guards.case import prediction
from autoscaler.core.migration import Prediction, predict
from autoscaler.core.policy import Limits
from autoscaler.core.state import EngineState

SAID = Prediction(2.0, 0.2, 1e6)


def learned(*took_s, ratio=None):
    ratio = ratio or Ratio()
    for measured in took_s:
        ratio = ratio.learned(measured, 1.0)
    return ratio


def test_before_anything_was_measured_the_model_is_believed():
    assert Correction().of(SAID) == SAID


def test_one_odd_measurement_moves_nothing_and_agreement_does():
    assert [learned(*[3.0] * times).factor for times in range(1, 5)] == [1.0, 2.0, 3.0, 3.0]
    assert learned(3.0, 3.0, 3.0, 3.0, 900.0).factor == 3.0


def test_only_the_newest_count_so_that_a_better_network_is_noticed():
    steady = learned(*[3.0] * 100)
    assert len(steady.newest) == REMEMBERED
    assert learned(*[0.5] * REMEMBERED, ratio=steady).factor == 0.5


@pytest.mark.parametrize("measured", [0.0, -1.0, float("nan"), float("inf")])
def test_a_figure_that_was_not_measured_says_nothing(measured):
    assert learned(measured, ratio=learned(3.0, 3.0)) == learned(3.0, 3.0)


def test_each_figure_has_its_own_experience():
    correction = Correction()
    for _ in range(3):
        correction = correction.learned(SAID, Prediction(6.0, 0.1, 0.0))
    assert correction.of(SAID) == Prediction(6.0, 0.1, 1e6)


def places(at, **where):
    return cluster({"X": [], "Y": [], "Z": [], **where}, at=at)


def moved_to_and_fro(story, times, total_s, downtime_s):
    """`a` goes between X and Y; each migration takes what is said."""
    for turn in range(times):
        here, there = ("X", "Y") if turn % 2 == 0 else ("Y", "X")
        at = T0 + 3600.0 * turn
        lines = story.sees(places(at, **{here: ["a", "b"]}), separate(here, f"a>{there}"))
        (step,) = [line.split(":")[0] for line in lines if "migrate" in line]
        story.ends(step, total_s=total_s, downtime_s=downtime_s, sent_bytes=1e6, at=at + 10.0)
        story.sees(places(at + 20.0, **{there: ["a"], here: ["b"]}))


def test_what_migrations_took_is_what_the_next_plan_expects_and_gives_time_for():
    story = Story()
    by_model = predict(float(places(T0, X=["a"]).samples["memory_bytes"][0]), 0.0, 125e6)
    moved_to_and_fro(story, 4, 100 * by_model.total_s, 5 * by_model.downtime_s)
    plans = [c.audit.plan for c in story.commands if isinstance(c, Record) and c.audit.plan]
    expected = [plan.steps[0].expects for plan in plans]
    assert [e.by_model for e in expected] == [by_model] * 4
    assert [e.corrected.downtime_s for e in expected] == pytest.approx([by_model.downtime_s * f for f in (1, 1, 3, 5)])
    assert plans[0].steps[0].deadline_s == 120.0
    assert plans[3].steps[0].deadline_s == pytest.approx(10 * 100 * by_model.total_s)


def test_a_budget_of_pauses_is_kept_by_what_pauses_are_and_not_by_what_the_model_says():
    story = Story(replace(FREE, downtime_budget_s=0.5))
    for _ in range(3):
        story.state.correction = story.state.correction.learned(SAID, Prediction(2.0, 0.6, 1e6))
    assert story.sees(places(T0, X=["a"], Y=["b"]), consolidate("X", "a>Y")) == ["consolidate X: downtime_budget"]
    assert prediction("a", story.engine.snapshot(), Limits()).downtime_s == pytest.approx(0.6)


def test_failed_and_withheld_migrations_teach_nothing():
    story = Story()
    story.sees(places(T0, X=["a", "b"]), separate("X", "a>Y"))
    story.ends("p2.s1", "failed", total_s=9.0, at=T0 + 9)
    assert story.state.correction == Correction()


def test_experience_outlives_a_restart_and_the_same_journal_teaches_the_same():
    story, again = Story(), Story()
    moved_to_and_fro(story, 3, 4.0, 0.9)
    moved_to_and_fro(again, 3, 4.0, 0.9)
    text = codec.dumps(story.state, EngineState)
    assert text == codec.dumps(again.state, EngineState)
    restarted = Engine(toolbox(Wishes()), codec.loads(text, EngineState))
    assert restarted.snapshot().correction == story.state.correction != Correction()


def test_a_checkpoint_of_before_this_was_learned_is_read_as_no_experience():
    text = codec.text(
        {k: v for k, v in codec.tree(codec.dumps(EngineState(), EngineState)).items() if k != "correction"}
    )
    assert codec.loads(text, EngineState).correction == Correction()
