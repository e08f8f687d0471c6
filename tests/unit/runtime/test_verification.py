"""`verify`: the same where nothing was touched; the first difference, with both sides, where something was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import restless

from autoscaler.adapters.decisions import JournalReader
from autoscaler.adapters.journal import DAY_S, SqliteJournal
from autoscaler.cli.assembly import JOURNAL_FILE, assemble
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.errors import JournalError
from autoscaler.verification import COMMANDS, NOTHING, verify

TICKS = 70


def run(directory: Path, ticks: int = TICKS) -> Path:
    with assemble(
        Engine(restless.toolbox()), restless.policy(), restless.scenario(), directory=directory, ticks=ticks
    ) as controller:
        controller.run()
    return directory / JOURNAL_FILE


@pytest.fixture
def journal(tmp_path) -> Path:
    return run(tmp_path)


def tampered(journal: Path, sql: str, *values) -> None:
    with closing(sqlite3.connect(journal)) as other:
        other.execute(sql, values)
        other.commit()


def test_what_was_written_is_what_comes_out(journal):
    verification = verify(journal, restless.toolbox())
    assert verification.same
    assert not verification.unfinished
    assert verification.begins_at == 1
    assert verification.events + verification.commands == len(list(JournalReader(journal).written()))
    assert verification.commands > TICKS
    assert verification.checkpoints == len(JournalReader(journal).checkpoints()) >= 2


def test_over_several_runs_too(journal):
    for _ in range(3):
        run(journal.parent, ticks=7)
    assert verify(journal, restless.toolbox()).same


def first(journal: Path, kind: str, number: int = 100):
    return next(entry for entry in JournalReader(journal).written(number) if entry.kind == kind)


def test_one_byte_of_a_command_is_found_with_both_sides(journal):
    entry = first(journal, "Execute")
    tampered(journal, f"UPDATE entries SET body = replace(body, 'p', 'q') WHERE number = {entry.number}")
    difference = verify(journal, restless.toolbox()).difference
    assert difference.entry == entry.number
    assert difference.executed == entry.text
    assert difference.written == entry.text.replace("p", "q")
    assert entry.id.startswith(difference.event)


def test_another_strategy_would_not_have_done_the_same(journal):
    class Hold:
        def propose(self, snapshot):
            return ()

    hold = Toolbox(build_strategy=lambda _spec: Hold(), compile_condition=lambda text: {}[text])
    difference = verify(journal, hold).difference
    assert '"granted":[{' in difference.written
    assert '"granted":[]' in difference.executed


def test_a_command_too_many_is_found(journal):
    command = first(journal, "Execute")
    event = next(e for e in JournalReader(journal).written(command.number) if e.kind not in COMMANDS)
    tampered(journal, "UPDATE entries SET kind = 'Execute', body = ? WHERE number = ?", command.text, event.number)
    difference = verify(journal, restless.toolbox()).difference
    assert (difference.entry, difference.written, difference.executed) == (event.number, command.text, NOTHING)


def test_a_command_too_few_is_found(journal):
    command = first(journal, "Execute")
    event = first(journal, "Observed")
    tampered(journal, "UPDATE entries SET kind = 'Observed', body = ? WHERE number = ?", event.text, command.number)
    difference = verify(journal, restless.toolbox()).difference
    assert (difference.entry, difference.written, difference.executed) == (command.number, NOTHING, command.text)


def test_a_kept_state_that_is_not_what_comes_out_is_found(journal):
    checkpoint = JournalReader(journal).checkpoints()[0]
    other = checkpoint.text.replace('"migrations":', '"migrations":1', 1)
    assert other != checkpoint.text
    tampered(journal, "UPDATE checkpoints SET body = ? WHERE entry = ?", other, checkpoint.entry)
    difference = verify(journal, restless.toolbox()).difference
    assert (difference.entry, difference.written, difference.executed) == (checkpoint.entry, other, checkpoint.text)


def test_a_journal_whose_head_was_pruned_begins_at_its_oldest_checkpoint(journal):
    checkpoint = JournalReader(journal).checkpoints()[0]
    tampered(journal, f"DELETE FROM entries WHERE number <= {checkpoint.entry}")
    verification = verify(journal, restless.toolbox())
    assert verification.same
    assert verification.begins_at == checkpoint.entry + 1
    assert verification.events > 0


def test_a_journal_that_pruned_itself_verifies(tmp_path):
    for _ in range(4):
        with assemble(
            Engine(restless.toolbox()), restless.policy(), restless.scenario(), directory=tmp_path, ticks=70
        ) as controller:
            controller.loop._ports.journal._keep_s = DAY_S / 24
            controller.run()
    verification = verify(tmp_path / JOURNAL_FILE, restless.toolbox())
    assert verification.same
    assert verification.begins_at > 1
    assert verification.events > 50


def test_a_head_that_is_missing_without_a_checkpoint_is_said(journal):
    tampered(journal, "DELETE FROM entries WHERE number <= 3")
    tampered(journal, "DELETE FROM checkpoints")
    with pytest.raises(JournalError, match="lacks its first 3 entries"):
        verify(journal, restless.toolbox())


def test_a_gap_is_said(journal):
    tampered(journal, "DELETE FROM entries WHERE number = 50")
    with pytest.raises(JournalError, match=r"entry 50 of the journal .* is missing"):
        verify(journal, restless.toolbox())


def test_commands_that_a_crash_left_unwritten_are_no_difference(journal):
    last = max(entry.number for entry in JournalReader(journal).written() if entry.kind == "Observed")
    tampered(journal, f"DELETE FROM entries WHERE number > {last}")
    tampered(journal, f"DELETE FROM checkpoints WHERE entry >= {last}")
    verification = verify(journal, restless.toolbox())
    assert verification.same
    assert verification.unfinished


def test_another_engines_journal_is_not_judged(journal):
    other = SqliteJournal(journal, engine="next")
    other.close()
    with pytest.raises(JournalError, match="was written by engine next"):
        verify(journal, restless.toolbox())


def test_it_reads_while_the_controller_writes(tmp_path):
    with assemble(Engine(restless.toolbox()), restless.policy(), restless.scenario(), directory=tmp_path) as controller:
        for now, _ in zip(controller.clock.ticks(), range(20), strict=False):
            controller.loop.tick(now)
        verification = verify(tmp_path / JOURNAL_FILE, restless.toolbox())
    assert verification.same
    assert verification.events > 20
