"""What a restart meets that no crash explains: another policy, cluster or mode; a journal or a world from a backup."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import restless

from autoscaler.adapters import codec
from autoscaler.adapters.decisions import JournalReader
from autoscaler.cli.assembly import JOURNAL_FILE, SECOND_JOURNAL_FILE, Controller, Second, assemble, journal_file
from autoscaler.core.engine import Engine
from autoscaler.core.events import Word
from autoscaler.core.policy import Mode, StrategySpec
from autoscaler.errors import JournalError, UsageError
from autoscaler.verification import verify

OWN = {f"own-{row}" for row in range(4)}


def controller(directory: Path | None, ticks: int = 20, *, policy=None, scenario=None, **more) -> Controller:
    return assemble(
        Engine(restless.toolbox()),
        policy or restless.policy(),
        scenario or restless.scenario(),
        directory=directory,
        ticks=ticks,
        **more,
    )


def run(directory: Path | None, ticks: int = 20, **more) -> Controller:
    with controller(directory, ticks, **more) as made:
        made.run()
    return made


def test_stopped_and_started_again_it_is_as_if_it_had_never_stopped(tmp_path):
    whole = run(None, 60)
    for ticks in (1, 30, 9, 20):
        parts = run(tmp_path, ticks)
    assert parts.engine.state.totals == whole.engine.state.totals
    assert parts.cluster.world.state() == whole.cluster.world.state()
    assert parts.cluster.world.score == whole.cluster.world.score


def test_it_can_be_stopped_in_any_tick(tmp_path):
    whole = run(None, 30)
    for stop_at in (1, 4, 7, 15):
        with controller(tmp_path / str(stop_at), 30) as first:
            for number, now in enumerate(first.clock.ticks(), start=1):
                first.loop.tick(now)
                if number == stop_at:
                    first.stop()
        rest = run(tmp_path / str(stop_at), 30 - stop_at)
        assert rest.folded > 0, "it did not get to keep a checkpoint"
        assert rest.cluster.world.state() == whole.cluster.world.state()


def test_another_policy_takes_over_with_the_first_tick(tmp_path):
    run(tmp_path)
    changed = run(tmp_path, policy=restless.policy(every_s=120.0))
    assert changed.engine.state.policy.every_s == 120.0
    assert changed.engine.state.totals.decisions == 20 + 10
    kinds = Counter(entry.kind for entry in JournalReader(tmp_path / JOURNAL_FILE).written())
    assert kinds["PolicyChanged"] == 2
    run(tmp_path, policy=restless.policy(every_s=120.0))
    kinds = Counter(entry.kind for entry in JournalReader(tmp_path / JOURNAL_FILE).written())
    assert kinds["PolicyChanged"] == 2, "the same policy is no news"
    assert verify(tmp_path / JOURNAL_FILE, restless.toolbox()).same


def test_a_policy_with_tuples_and_paths_is_no_news_either(tmp_path):
    policy = replace(restless.policy(), strategy=StrategySpec("restless", {"list": (1, 2), "nested": {"x": (3,)}}))
    run(tmp_path, 2, policy=policy)
    run(tmp_path, 2, policy=policy)
    kinds = Counter(entry.kind for entry in JournalReader(tmp_path / JOURNAL_FILE).written())
    assert kinds["PolicyChanged"] == 1


def test_another_cluster_is_refused_and_the_difference_named(tmp_path):
    run(tmp_path, 3)
    other = restless.scenario(seed=5, minimum_billing_s=1.0)
    with pytest.raises(UsageError, match="another seed, minimum_billing_s; undo that change, or name another journal"):
        controller(tmp_path, scenario=other)
    run(tmp_path, 3)


def test_what_shadow_mode_decided_is_never_carried_out(tmp_path):
    before = run(None, 1).cluster.world.placement.tolist()
    shadow = run(tmp_path, 20, mode=Mode.SHADOW)
    assert shadow.engine.state.totals.actions["scale_out withheld"] > 0
    assert not [count for count in shadow.engine.state.totals.steps if count.endswith("done")]
    assert shadow.cluster.world.placement.tolist() == before
    assert shadow.cluster.world.estate.accepted == 0
    with pytest.raises(UsageError, match="another mode"):
        controller(tmp_path, mode=Mode.LIVE)


def test_a_policy_may_say_shadow_by_itself_and_must_not_change_it(tmp_path):
    shadow_policy = restless.policy(mode=Mode.SHADOW)
    with controller(tmp_path, policy=shadow_policy) as shadow:
        assert shadow.mode is Mode.SHADOW
        with pytest.raises(UsageError, match="runs in shadow mode: a mode is for a whole run"):
            shadow.adopt(restless.policy())
    with controller(None) as live, pytest.raises(UsageError, match="says mode: shadow"):
        live.adopt(shadow_policy)
    with controller(None, mode=Mode.SHADOW) as asked:
        asked.adopt(restless.policy(every_s=120.0))
        asked.run()
        assert asked.engine.state.policy.every_s == 120.0


def test_a_pause_survives_a_restart(tmp_path):
    with controller(tmp_path, 3) as first:
        receipt = first.inbox.say(Word.PAUSE, why="lunch")
        first.run()
        assert receipt.wait(0)
    begun = first.cluster.world.estate.accepted
    again = run(tmp_path, 20)
    assert again.engine.state.paused == {"": "lunch"}
    assert again.cluster.world.estate.accepted == begun


def test_two_controllers_on_one_directory_are_one_too_many(tmp_path):
    with controller(tmp_path), pytest.raises(JournalError, match="in use"):
        controller(tmp_path)
    run(tmp_path, 1)


def test_the_second_journal_is_closed_when_the_first_is_refused(tmp_path):
    second = Second(Engine(restless.toolbox()), restless.policy())
    run(tmp_path, 1, second=second)
    with pytest.raises(UsageError):
        controller(tmp_path, scenario=restless.scenario(seed=9), second=second)
    run(tmp_path, 1, second=Second(Engine(restless.toolbox()), restless.policy()))
    assert verify(tmp_path / SECOND_JOURNAL_FILE, restless.toolbox()).same


def put_world(source: Path, target: Path) -> None:
    """The world that `source` keeps becomes the one that `target` keeps."""
    with (
        closing(sqlite3.connect(source / JOURNAL_FILE)) as one,
        closing(sqlite3.connect(target / JOURNAL_FILE)) as other,
    ):
        (body,) = one.execute("SELECT body FROM kept WHERE name = 'world'").fetchone()
        other.execute("UPDATE kept SET body = ? WHERE name = 'world'", (body,))
        other.commit()


def check_nothing_is_lost(made: Controller) -> None:
    apps = [app_vm.id for app_vm in made.cluster.world.estate.apps.identities]
    assert len(set(apps)) == len(apps)
    assert set(apps) >= OWN
    assert sum(app_vm.startswith("web") for app_vm in apps) >= 1
    assert made.cluster.world.estate.tally.app_vms_lost == 0


def steps_begun(directory: Path) -> set[str]:
    entries = JournalReader(directory / JOURNAL_FILE).written()
    return {codec.loads(entry.text, codec.Entry).step.id for entry in entries if entry.kind == "Execute"}


@pytest.fixture
def earlier_and_later(tmp_path) -> tuple[Path, Path]:
    """One run at two times: after 5 ticks, and after 15."""
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    run(earlier, 5)
    shutil.copytree(earlier, later)
    run(later, 10)
    return earlier, later


def test_a_journal_from_a_backup_finds_a_world_that_has_gone_on(earlier_and_later):
    earlier, later = earlier_and_later
    put_world(later, earlier)
    lost = steps_begun(later) - steps_begun(earlier)
    assert len(lost) > 3
    before = steps_begun(earlier)
    made = run(earlier, 30)
    check_nothing_is_lost(made)
    begun = steps_begun(earlier) - before
    assert len(begun) > 3
    assert begun.isdisjoint(lost), "no id of the lost part is used again"
    assert made.engine.state.history.at == made.cluster.world.now
    assert verify(earlier / JOURNAL_FILE, restless.toolbox()).same


def test_a_world_from_a_backup_is_observed_as_it_is(earlier_and_later):
    earlier, later = earlier_and_later
    put_world(earlier, later)
    made = run(later, 30)
    check_nothing_is_lost(made)
    observed = made.engine.state.history
    assert [app_vm.id for app_vm in observed.inventory.app_vms] == [
        app_vm.id for app_vm in made.cluster.world.estate.apps.identities
    ]
    assert made.engine.state.totals.decisions == 45
    assert verify(later / JOURNAL_FILE, restless.toolbox()).same


def test_a_world_that_is_gone_begins_anew_and_the_journal_goes_on(earlier_and_later):
    _, later = earlier_and_later
    with closing(sqlite3.connect(later / JOURNAL_FILE)) as other:
        other.execute("DELETE FROM kept WHERE name = 'world'")
        other.commit()
    made = run(later, 20)
    check_nothing_is_lost(made)
    assert made.engine.state.totals.decisions == 35


def test_a_journal_is_named_by_its_directory_or_itself(tmp_path):
    run(tmp_path, 1)
    assert journal_file(tmp_path) == tmp_path / JOURNAL_FILE == journal_file(tmp_path / JOURNAL_FILE)
