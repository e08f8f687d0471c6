"""Reading a journal while it is written, or after: decisions with why and why not, what came of them, and raw texts.

Separate from journal.py because readers are many and in other threads and processes: each call opens the file, reads one
consistent moment of it and closes it. Writes nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.adapters import codec
from autoscaler.adapters.database import Database, check_whole, open_for_reading
from autoscaler.core.audit import AuditRecord
from autoscaler.core.events import Command, Event, Execute, Record, StepEnded, Undo
from autoscaler.errors import JournalError, UsageError

NEWEST = 1 << 62  # above every entry number


@dataclass(frozen=True, slots=True)
class Written:
    """One entry as it stands in the file. `kind` is its class name."""

    number: int
    kind: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class WrittenCheckpoint:
    """`entry`: the number of the last entry it covers. `engine`: the version that wrote it."""

    entry: int
    engine: str
    text: str


class JournalReader:
    """Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def decisions(self, limit: int, before: str | None = None) -> tuple[AuditRecord, ...]:
        """The newest `limit` decisions, newest first; with `before` (a decision's id) those older than it."""
        with closing(open_for_reading(self.path)) as database:
            until = NEWEST if before is None else _entry_of(database, before)
            return _records(
                database,
                "SELECT body FROM entries WHERE kind = 'Record' AND decision IS NOT NULL AND number < ?"
                " ORDER BY number DESC LIMIT ?",
                *(until, limit),
            )

    def decision(self, name: str) -> AuditRecord:
        """Raises UsageError where there is none of that id."""
        with closing(open_for_reading(self.path)) as database:
            number = _entry_of(database, name)
            return _records(database, "SELECT body FROM entries WHERE number = ?", number)[0]

    def last_decision(self) -> AuditRecord | None:
        return next(iter(self.decisions(1)), None)

    def decisions_about(self, subject: str, limit: int) -> tuple[AuditRecord, ...]:
        """The newest decisions in which an app VM, cloud VM or service was wished, refused, or part of a plan."""
        with closing(open_for_reading(self.path)) as database:
            return _records(
                database,
                "SELECT body FROM entries JOIN mentions USING (number) WHERE subject = ? ORDER BY number DESC LIMIT ?",
                *(subject, limit),
            )

    def outcomes(self, decision: str) -> tuple[StepEnded, ...]:
        """How the steps of a decision's plan ended, in that order, undone ones included."""
        with closing(open_for_reading(self.path)) as database:
            sql = "SELECT body FROM entries WHERE decision = ? AND kind = 'StepEnded' ORDER BY number"
            return tuple(_entries(database, sql, decision))

    def written(self, after: int = 0) -> Iterator[Written]:
        """Every entry above number `after`, oldest first, all of one moment."""
        with closing(open_for_reading(self.path)) as database:
            for number, kind, name, body in database.rows(
                "SELECT number, kind, id, body FROM entries WHERE number > ? ORDER BY number", after
            ):
                with readable(self.path, f"entry {number}"):
                    text = unpacked(body)
                yield Written(number, kind, name, text)

    def checkpoints(self) -> tuple[WrittenCheckpoint, ...]:
        """Oldest first. The first one is where a journal begins whose head was pruned."""
        with closing(open_for_reading(self.path)) as database:
            rows = database.rows("SELECT entry, engine, body FROM checkpoints ORDER BY entry")
            with readable(self.path, "a checkpoint"):
                return tuple(WrittenCheckpoint(entry, engine, unpacked(body)) for entry, engine, body in rows)

    def writers(self) -> tuple[tuple[int, str], ...]:
        """(first entry, engine version) of each engine that wrote, oldest first."""
        with closing(open_for_reading(self.path)) as database:
            return tuple((entry, engine) for entry, engine in database.rows("SELECT * FROM writers ORDER BY entry"))

    def check_whole(self) -> None:
        """Read every page. Raises JournalError where one is damaged."""
        with closing(open_for_reading(self.path)) as database:
            check_whole(database)


def unpacked(body: str | bytes) -> str:
    """The text of a body, compressed or not. Raises ValueError where it is damaged."""
    try:
        return body if isinstance(body, str) else zlib.decompress(body).decode()
    except (TypeError, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from error


def decision_of(entry: Event | Command) -> str | None:
    """The decision an entry belongs to: a Record's own, and that of a step's plan (p12.s3 carries out d12)."""
    match entry:
        case Record():
            return entry.audit.decision.id
        case Execute() | Undo():
            return f"d{entry.step.id.partition('.')[0].removeprefix('p')}"
        case StepEnded():
            return f"d{entry.step.partition('.')[0].removeprefix('p')}"
        case _:
            return None


def mentioned(audit: AuditRecord) -> tuple[str, ...]:
    """Ids a decision is about, each once."""
    wished = (*audit.decision.granted, *(denied.proposal for denied in audit.decision.denied))
    steps = audit.plan.steps if audit.plan is not None else ()
    subjects = (s for part in (wished, (step.action for step in steps)) for each in part for s in each.subjects)
    return tuple(dict.fromkeys(subjects))


def _entry_of(database: Database, decision: str) -> int:
    row = database.one("SELECT number FROM entries WHERE decision = ? AND kind = 'Record'", decision)
    if row is None:
        ends = database.one(
            "SELECT (SELECT decision FROM entries WHERE kind = 'Record' AND decision IS NOT NULL ORDER BY number LIMIT 1),"
            " (SELECT decision FROM entries WHERE kind = 'Record' AND decision IS NOT NULL ORDER BY number DESC LIMIT 1)"
        )
        known = f"it has {ends[0]} to {ends[1]}" if ends and ends[0] else "it has no decision yet"
        raise UsageError(f"the journal {database.path} has no decision {decision!r}; {known}")
    return int(row[0])


def _records(database: Database, sql: str, *values: Any) -> tuple[AuditRecord, ...]:
    return tuple(entry.audit for entry in _entries(database, sql, *values))


def _entries(database: Database, sql: str, *values: Any) -> Iterator[Any]:
    for (body,) in database.rows(sql, *values):
        with readable(database.path):
            entry = codec.loads(unpacked(body), codec.Entry)
        yield entry


@contextmanager
def readable(path: Path, what: str = "an entry") -> Iterator[None]:
    """What cannot be decoded, as one line that says what to do."""
    try:
        yield
    except ValueError as error:
        raise JournalError(
            f"{what} of the journal {path} cannot be read by this version; use the one that wrote it, restore a copy, "
            "or move it away to start anew"
        ) from error
