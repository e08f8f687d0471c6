"""A second policy beside the first: same observations, nothing acted on, differences told, its troubles its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import restless

from autoscaler.adapters.database import open_for_reading
from autoscaler.adapters.journal import Retention, SqliteJournal
from autoscaler.cli.assembly import JOURNAL_FILE, SECOND_JOURNAL_FILE, UNTOLD, Second, assemble
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Word
from autoscaler.runtime import TICKS_PER_CHECKPOINT


class Hold:
    def propose(self, snapshot):
        return ()


class OtherReasons:
    """Wishes as the restless one does, and says something else about it."""

    def propose(self, snapshot):
        return [replace(wish, reason="other") for wish in restless.Restless().propose(snapshot)]


def beside(strategy, ticks=20, directory=None, policy=None, retention=UNTOLD, act=lambda controller: None):
    told = []
    toolbox = Toolbox(build_strategy=lambda _spec: strategy, compile_condition=lambda text: {}[text])
    second = Second(Engine(toolbox), policy or restless.policy(), told.append)
    with assemble(
        Engine(restless.toolbox()),
        restless.policy(),
        restless.scenario(),
        directory=directory,
        retention=retention,
        ticks=ticks,
        second=second,
    ) as controller:
        act(controller)
        controller.run()
    return controller, told


def test_the_same_wishes_for_other_reasons_agree_until_acting_makes_a_difference():
    controller, told = beside(OtherReasons(), ticks=1)
    assert (controller.comparison.agreed, controller.comparison.differed, told) == (1, 0, [])


def test_every_difference_is_told_with_both_sides():
    controller, told = beside(Hold())
    granted = controller.engine.state.totals
    assert controller.comparison.differed == len(told) > 5
    assert controller.comparison.agreed + controller.comparison.differed == 20
    assert all(difference.only_first and not difference.only_second for difference in told)
    assert sum(len(difference.only_first) for difference in told) == sum(
        count for action, count in granted.actions.items() if action.endswith("granted")
    )
    assert told[0].first.decision.at == told[0].second.decision.at == told[0].at


def test_the_first_one_does_the_same_as_without_company():
    controller, _ = beside(Hold())
    with assemble(Engine(restless.toolbox()), restless.policy(), restless.scenario(), ticks=20) as alone:
        alone.run()
    assert alone.cluster.world.state() == controller.cluster.world.state()
    assert alone.engine.state.totals == controller.engine.state.totals


def test_the_second_one_acts_on_nothing():
    controller, _ = beside(restless.Restless())
    totals = controller.comparison.second.engine.state.totals
    assert [kind for kind in totals.steps if not kind.endswith("withheld")] == []
    assert totals.steps["start_app_vm withheld"] > 0


def test_a_pause_is_for_both():
    controller, told = beside(restless.Restless(), act=lambda each: each.inbox.say(Word.PAUSE, why="lunch"))
    assert controller.comparison.second.engine.state.paused == {"": "lunch"}
    assert told == []


def test_another_cadence_differs_where_only_one_decides():
    controller, told = beside(restless.Restless(), policy=restless.policy(every_s=120.0))
    assert controller.comparison.second.engine.state.totals.decisions == 10
    assert any(difference.second is None for difference in told)


def test_it_goes_on_from_its_own_journal(tmp_path):
    for _ in range(2):
        controller, _ = beside(restless.Restless(), directory=tmp_path)
    assert controller.comparison.second.engine.state.totals.decisions == 40


def test_its_failing_journal_ends_the_comparison_only(tmp_path):
    def fill_the_disk(controller):
        journal: SqliteJournal = controller.comparison.second._ports.journal
        pages = journal._database.one("PRAGMA page_count")[0]
        journal._database.run(f"PRAGMA max_page_count = {pages + 3}")

    controller, _ = beside(restless.Restless(), ticks=60, directory=tmp_path, act=fill_the_disk)
    assert "the disk is full" in controller.comparison.failed
    assert str(tmp_path / SECOND_JOURNAL_FILE) in controller.comparison.failed
    assert controller.engine.state.totals.decisions == 60
    assert controller.comparison.second.engine.state.totals.decisions < 60


def test_what_bounds_the_journal_bounds_both(tmp_path):
    beside(Hold(), ticks=2 * TICKS_PER_CHECKPOINT + 5, directory=tmp_path / "all")
    beside(Hold(), ticks=2 * TICKS_PER_CHECKPOINT + 5, directory=tmp_path / "few", retention=Retention(size_bytes=0))
    for name in (JOURNAL_FILE, SECOND_JOURNAL_FILE):
        assert oldest(tmp_path / "all" / name) == 1
        assert oldest(tmp_path / "few" / name) > 1


def oldest(path):
    with closing(open_for_reading(path)) as database:
        return database.one(
            "SELECT min(number) FROM (SELECT number FROM entries UNION SELECT entry + 1 FROM checkpoints)"
        )[0]
