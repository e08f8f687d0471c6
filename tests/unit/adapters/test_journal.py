"""The journal's file: whose it is, what is wrong with it, how big it may become, and what others read in it meanwhile."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.decisions import JournalReader
from autoscaler.adapters.journal import DAY_S, SqliteJournal, packed
from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.engine import ENGINE_VERSION
from autoscaler.core.events import Execute, Observed, OperatorSaid, Outcome, Record, StepEnded, Word
from autoscaler.core.proposals import ScaleIn, ScaleOut
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Cordon, Plan, Step
from autoscaler.errors import JournalError, UsageError
from autoscaler.ports import Checkpoint


def said(number: int, at: float | None = None, why: str = "") -> OperatorSaid:
    return OperatorSaid(float(number) if at is None else at, Word.PAUSE, why=why, id=f"e{number}")


def decided(number: int, granted=(), denied=(), steps=()) -> Record:
    decision = Decision(f"d{number}", float(number), "p", tuple(granted), tuple(denied))
    plan = Plan(f"p{number}", decision.id, tuple(steps)) if steps else None
    return Record(AuditRecord(decision, plan), f"e{number}", f"e{number}.0")


@contextmanager
def opened(path: Path, **more):
    journal = SqliteJournal(path, survive_power_loss=False, **more)
    try:
        yield journal
    finally:
        journal.close()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "journal.sqlite"


def refusal(path: Path, **more) -> str:
    with pytest.raises(JournalError) as raised:
        SqliteJournal(path, **more)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_it_comes_back_after_closing(path):
    with opened(path) as journal:
        journal.event(said(1))
        journal.commands([decided(1)])
        journal.keep(Checkpoint(1, 1.0, EngineState(decided_at=7.0)))
        journal.event(said(2))
    with opened(path) as journal:
        assert journal.checkpoint().state.decided_at == 7.0
        assert list(journal.entries()) == [said(2)]
        journal.event(said(3))
        assert list(journal.entries()) == [said(2), said(3)]


def test_a_long_entry_is_compressed_and_comes_back(path):
    long = said(1, why="x" * 100_000)
    assert isinstance(packed("x" * 100_000), bytes)
    with opened(path) as journal:
        journal.event(long)
        assert list(journal.entries()) == [long]
    assert next(JournalReader(path).written()).text.startswith('{"at":1.0,"word":"pause"')


def test_two_controllers_never_share_one(path):
    program = (
        "import sys, pathlib; from autoscaler.adapters.journal import SqliteJournal\n"
        "journal = SqliteJournal(pathlib.Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        assert f"process id {other.pid};" in refusal(path)
        other.kill()
        other.communicate()
    with opened(path):
        assert f"process id {os.getpid()};" in refusal(path)
    with opened(path) as journal:
        journal.event(said(1))


def test_the_loser_does_not_disturb_the_winner(path):
    with opened(path) as journal:
        refusal(path)
        refusal(path)
        journal.event(said(1))
        assert list(journal.entries()) == [said(1)]


@pytest.mark.parametrize("content", [b"not a database, but long enough to have a header " * 40, b"\x00\xff" * 5000])
def test_a_file_that_is_no_database_is_left_as_it_is(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert "is not a journal" in refusal(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_as_it_is(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    before = path.read_bytes()
    assert "another program" in refusal(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused(path):
    with opened(path):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 9")
    assert "newer FlexCapsule (format 9, this one reads 1)" in refusal(path)


def test_a_directory_is_not_a_journal(path):
    path.mkdir(parents=True)
    assert "is a directory" in refusal(path)


def test_a_place_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be opened" in refusal(tmp_path / "file" / "journal.sqlite")


def filled(path: Path, entries: int = 200) -> None:
    with opened(path) as journal:
        for number in range(1, entries + 1):
            journal.event(said(number, why="why " * 50))


def test_a_file_cut_short_is_refused(path):
    filled(path)
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * part)])
        assert refusal(path)


def test_damage_within_is_one_line_when_it_is_met(path):
    filled(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\xaa" * 4096
    path.write_bytes(content)
    with pytest.raises(JournalError) as raised, opened(path) as journal:
        list(journal.entries())
    assert "\n" not in str(raised.value)
    with pytest.raises(JournalError, match="damaged"):
        JournalReader(path).check_whole()


def tampered(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(sql)
        other.commit()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM entries WHERE number = 3", "entry 3 of the journal .* is missing"),
        ("DELETE FROM entries WHERE number = 1", "entry 1 of the journal .* is missing"),
        ("UPDATE entries SET body = '{}' WHERE number = 3", "entry 3 of the journal .* cannot be read"),
        ("UPDATE entries SET body = x'00ff' WHERE number = 3", "entry 3 of the journal .* cannot be read"),
    ],
)
def test_a_missing_or_unreadable_entry_is_named(path, sql, words):
    filled(path, 5)
    tampered(path, sql)
    with opened(path) as journal, pytest.raises(JournalError, match=words):
        list(journal.entries())


def test_an_unreadable_checkpoint_is_said(path):
    with opened(path) as journal:
        journal.event(said(1))
        journal.keep(Checkpoint(1, 1.0, EngineState()))
    tampered(path, "UPDATE checkpoints SET body = '{\"of_another_version\":1}'")
    with opened(path) as journal, pytest.raises(JournalError, match=r"newest checkpoint .* cannot be read"):
        journal.checkpoint()


@pytest.mark.parametrize("becomes", ["deleted", "moved", "replaced"])
def test_what_is_written_to_a_file_that_is_no_longer_there_is_refused(path, becomes):
    with opened(path) as journal:
        journal.event(said(1))
        moved = path.rename(path.with_name("moved.sqlite"))
        if becomes == "deleted":
            moved.unlink()
        if becomes == "replaced":
            path.write_bytes(moved.read_bytes())
        with pytest.raises(JournalError, match="moved, deleted or replaced while it was in use"):
            journal.event(said(2))
        with pytest.raises(JournalError, match="moved, deleted or replaced"):
            journal.commands([decided(2)])


def test_a_full_disk_is_an_error_and_what_was_written_stays(path):
    written = 0
    with opened(path) as journal:
        journal._database.run(f"PRAGMA max_page_count = {journal._database.one('PRAGMA page_count')[0] + 20}")
        with pytest.raises(JournalError, match="the disk is full; nothing is acted on"):  # noqa: PT012
            for number in range(1, 10_000):
                journal.event(said(number, why="why " * 50))
                written = number
    assert written > 10
    with opened(path) as journal:
        assert len(list(journal.entries())) == written
        journal.event(said(written + 1))


def test_what_is_staged_is_kept_with_the_next_event_or_not_at_all(path):
    with opened(path) as journal:
        journal.stage("world", {"now": 1})
        journal.event(said(1))
        journal.stage("world", {"now": 2})
        assert journal.kept("world") == {"now": 1}
        journal.commands([decided(1)])
        assert journal.kept("world") == {"now": 1}, "commands are not told to anybody"
        journal.event(said(2))
        assert journal.kept("world") == {"now": 2}
        journal._database.run(f"PRAGMA max_page_count = {journal._database.one('PRAGMA page_count')[0]}")
        journal.stage("world", {"now": 3})
        with pytest.raises(JournalError):
            journal.event(said(3, why=os.urandom(100_000).hex()))
        assert journal.kept("world") == {"now": 2}
        assert len(list(journal.entries())) == 3
        assert journal.kept("nobody") is None


def test_what_is_staged_last_is_kept_on_closing(path):
    with opened(path) as journal:
        journal.stage("world", {"now": 1})
    with opened(path) as journal:
        assert journal.kept("world") == {"now": 1}


def test_another_engine_goes_on_from_a_checkpoint_only(path):
    with opened(path) as journal:
        journal.event(said(1))
    words = refusal(path, engine="next")
    assert f"1 entries of engine {ENGINE_VERSION} that no checkpoint covers, and this is engine next" in words
    with opened(path) as journal:
        journal.keep(Checkpoint(1, 1.0, EngineState()))
    with opened(path, engine="next") as journal:
        journal.event(said(2))
        assert list(journal.entries()) == [said(2)]
    assert JournalReader(path).writers() == ((1, ENGINE_VERSION), (2, "next"))
    assert "engine next" in refusal(path)


def kept_days(path: Path, days: int, **more) -> SqliteJournal:
    """Four entries and a checkpoint every six hours."""
    journal = SqliteJournal(path, survive_power_loss=False, **more)
    number = 0
    for quarter in range(days * 4):
        for _ in range(4):
            number += 1
            journal.event(said(number, at=quarter * DAY_S / 4, why="why " * 100))
            journal.commands([decided(number, granted=[ScaleOut("web", "more")])])
        journal.keep(Checkpoint(number, quarter * DAY_S / 4, EngineState(decided_at=float(number))))
    return journal


def test_entries_older_than_the_retention_are_dropped_up_to_a_checkpoint(path):
    journal = kept_days(path, 60, keep_days=30.0)
    reader = JournalReader(path)
    checkpoints = reader.checkpoints()
    first = next(iter(reader.written()))
    assert first.number == checkpoints[0].entry + 1, "what is left begins where a checkpoint ends"
    assert 29 <= len(checkpoints) <= 34, "about one a day"
    newest_at = (60 * 4 - 1) * DAY_S / 4
    oldest = int(checkpoints[0].text.partition('"decided_at":')[2].partition(".")[0])
    assert newest_at - 32 * DAY_S <= (oldest / 4 - 1) * DAY_S / 4 <= newest_at - 30 * DAY_S
    assert len(reader.decisions_about("web", 10_000)) == sum(1 for entry in reader.written() if entry.kind == "Record")
    assert journal.checkpoint().state.decided_at == 60 * 4 * 4
    assert list(journal.entries()) == []
    journal.close()


def test_the_file_is_bounded_by_its_size_too(path):
    limit = 200_000
    journal = kept_days(path, 30, keep_bytes=limit)
    journal.close()
    assert path.stat().st_size <= limit
    written = list(JournalReader(path).written())
    assert 10 < len(written) < 30 * 16 * 2
    assert written[-1].id == "e480.0"
    with opened(path) as journal:
        assert journal.checkpoint().number == 480


def test_what_no_checkpoint_covers_is_never_dropped(path):
    with opened(path, keep_days=0.0, keep_bytes=0) as journal:
        journal.event(said(1, at=0.0))
        journal.keep(Checkpoint(1, 0.0, EngineState()))
        for number in range(2, 50):
            journal.event(said(number, at=number * DAY_S))
        assert len(list(journal.entries())) == 48


def test_opening_does_not_read_what_a_checkpoint_covers(path):
    filled(path, 50)
    with opened(path) as journal:
        journal.keep(Checkpoint(50, 50.0, EngineState()))
        journal.event(said(51))
    tampered(path, "UPDATE entries SET body = 'nonsense' WHERE number <= 50")
    with opened(path) as journal:
        assert list(journal.entries()) == [said(51)]


STEPS = tuple(Step(f"p3.s{row}", Cordon("cloud-1")) for row in (1, 2))


@pytest.fixture
def read(path):
    """Three decisions: a grant, a refusal, and one with a plan of which a step ended."""
    with opened(path) as journal:
        records = [
            decided(1, granted=[ScaleOut("web", "more")]),
            decided(2, denied=[Denied(ScaleIn("web", "web-1", "less"), (Denial("budget", "none left"),))]),
            decided(3, granted=[ScaleOut("api", "more")], steps=STEPS),
        ]
        for number, record in enumerate(records, start=1):
            journal.event(said(number))
            journal.commands([record])
        journal.commands([Execute(STEPS[0], "e3", "e3.1")])
        journal.event(StepEnded(4.0, "p3.s1", Outcome.DONE, id="e4"))
        journal.event(StepEnded(5.0, "p3.s1.undo", Outcome.FAILED, id="e5"))
        yield JournalReader(path)


def ids(audits) -> list[str]:
    return [audit.decision.id for audit in audits]


def test_decisions_are_read_newest_first_page_by_page_while_it_is_written(read):
    assert ids(read.decisions(2)) == ["d3", "d2"]
    assert ids(read.decisions(2, before="d2")) == ["d1"]
    assert ids(read.decisions(0)) == []
    assert read.last_decision().decision.id == "d3"
    assert read.decision("d2").decision.denied[0].denials[0].guard == "budget"


def test_decisions_are_found_by_what_they_are_about(read):
    assert ids(read.decisions_about("web", 9)) == ["d2", "d1"]
    assert ids(read.decisions_about("web", 1)) == ["d2"]
    assert ids(read.decisions_about("web-1", 9)) == ["d2"]
    assert ids(read.decisions_about("cloud-1", 9)) == ["d3"], "by the plan, too"
    assert read.decisions_about("nobody", 9) == ()


def test_outcomes_are_found_by_decision(read):
    assert [(ended.step, ended.outcome) for ended in read.outcomes("d3")] == [
        ("p3.s1", Outcome.DONE),
        ("p3.s1.undo", Outcome.FAILED),
    ]
    assert read.outcomes("d1") == ()


def test_an_unknown_decision_tells_which_there_are(read):
    for ask in (read.decision, lambda name: read.decisions(1, before=name)):
        with pytest.raises(UsageError, match="no decision 'd9'; it has d1 to d3"):
            ask("d9")


def test_an_empty_journal_has_no_decisions(path):
    with opened(path):
        assert JournalReader(path).last_decision() is None
        with pytest.raises(UsageError, match="no decision yet"):
            JournalReader(path).decision("d1")


def test_reading_what_is_not_there_makes_nothing(path):
    with pytest.raises(JournalError, match="there is no journal"):
        JournalReader(path).last_decision()
    assert not path.parent.exists()


def test_reading_from_another_thread_while_it_is_written(path):
    found: list[int] = []
    with opened(path) as journal:
        journal.event(said(1))
        reader = threading.Thread(target=lambda: found.append(len(list(JournalReader(path).written()))))
        reader.start()
        reader.join()
        journal.event(said(2))
    assert found == [1]


def test_an_hour_of_ten_thousand_app_vms_is_megabytes(path):
    rows, ticks = 10_000, 3
    luck = np.random.default_rng(1)
    with opened(path) as journal:
        for tick in range(ticks):
            samples = {name: luck.random(rows) for name in ("cpu_cores", "memory_bytes", "dirty_bytes_per_s")}
            placement = luck.integers(0, 1000, rows)
            journal.event(Observed(60.0 * tick, placement, np.full(rows, 60.0 * tick), samples, id=f"e{tick + 1}"))
    assert path.stat().st_size / ticks * 60 < 25e6
