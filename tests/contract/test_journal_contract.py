"""The contract of `Journal` (autoscaler/ports.py), run against every implementer: add a factory to JOURNALS to join."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.adapters.journal import SqliteJournal
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.core.events import Execute, OperatorSaid, Outcome, StepEnded, Word
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Cordon, Step
from autoscaler.ports import Checkpoint, Journal

JOURNALS: dict[str, Callable[[Path], Journal]] = {
    "memory": lambda _path: MemoryJournal(),
    "sqlite": lambda path: SqliteJournal(path / "journal.sqlite"),
}
FIRST = OperatorSaid(1.0, Word.PAUSE, "web", id="e1")
SECOND = StepEnded(2.0, "p1.s1", Outcome.DONE, id="e2")
COMMANDS = [Execute(Step(f"p1.s{row}", Cordon("c")), "e1", f"e1.{row}") for row in range(3)]


@pytest.fixture(params=JOURNALS.values(), ids=JOURNALS.keys())
def journal(request, tmp_path):
    journal = request.param(tmp_path)
    yield journal
    getattr(journal, "close", lambda: None)()


def test_a_new_one_is_empty(journal):
    assert list(journal.entries()) == []
    assert journal.checkpoint() is None


def test_entries_come_back_in_order(journal):
    journal.event(FIRST)
    journal.commands(COMMANDS)
    journal.event(SECOND)
    assert list(journal.entries()) == [FIRST, *COMMANDS, SECOND]
    assert list(journal.entries()) == [FIRST, *COMMANDS, SECOND], "reading takes nothing out"


def test_a_checkpoint_takes_the_place_of_what_precedes_it(journal):
    journal.event(FIRST)
    journal.keep(Checkpoint(1, 1.0, EngineState(paused={"web": "lunch"})))
    assert list(journal.entries()) == []
    journal.event(SECOND)
    assert list(journal.entries()) == [SECOND]
    kept = journal.checkpoint()
    assert (kept.number, kept.at, kept.state.paused) == (1, 1.0, {"web": "lunch"})


def test_the_newest_checkpoint_counts(journal):
    for number in (1, 2, 3):
        journal.event(FIRST)
        journal.keep(Checkpoint(number, float(number), EngineState(decided_at=float(number))))
    assert journal.checkpoint().state.decided_at == 3.0
    assert list(journal.entries()) == []


def test_what_is_kept_does_not_change_with_the_engine(journal):
    state = EngineState(decided_at=1.0)
    journal.keep(Checkpoint(0, 1.0, state))
    state.decided_at, state.totals.alerts = 2.0, 9
    kept = journal.checkpoint().state
    assert (kept.decided_at, kept.totals.alerts) == (1.0, 0)
    kept.totals.alerts = 5
    assert journal.checkpoint().state.totals.alerts == 0
