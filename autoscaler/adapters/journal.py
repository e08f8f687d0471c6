"""The write-ahead log in one SQLite file: events and commands in one numbered order, checkpoints, and what is kept with them.

Separate from reading it (decisions.py) because there is one writer and any number of readers. It knows entries and texts;
the file is database.py's affair, the text codec.py's. Nothing here decides what to do.

What a simulated world must remember is *staged* and becomes durable in the same transaction as the next event: the event is
the first the controller hears of it, so a crash leaves either both or neither.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.adapters import codec
from autoscaler.adapters.database import open_for_writing
from autoscaler.adapters.decisions import decision_of, mentioned, readable, unpacked
from autoscaler.core.engine import ENGINE_VERSION
from autoscaler.core.events import Command, Event, Record
from autoscaler.core.state import EngineState
from autoscaler.errors import JournalError
from autoscaler.ports import Checkpoint

DAY_S = 86400.0
KEEP_DAYS = 30.0
KEEP_BYTES = 2 << 30
PACKED_FROM_CHARACTERS = 16 << 10  # longer texts are compressed: measured at 10,000 app VMs, an eighth for 11 ms
LADDER_RUNGS = 30.0  # old checkpoints are kept this many to the retention: where pruning and `verify` may begin


@dataclass(frozen=True, slots=True)
class Retention:
    """What bounds a journal: `days` of the cluster's time and its size. What follows the newest checkpoint stays anyway."""

    days: float = KEEP_DAYS
    size_bytes: int = KEEP_BYTES


class SqliteJournal:
    """Implements ports.Journal. `keep_days` of the cluster's time and `keep_bytes` bound it; what follows the newest
    checkpoint is never dropped."""

    def __init__(
        self,
        path: Path,
        *,
        keep_days: float = KEEP_DAYS,
        keep_bytes: int = KEEP_BYTES,
        survive_power_loss: bool = True,
        engine: str = ENGINE_VERSION,
    ) -> None:
        self.path = path
        self._keep_s, self._keep_bytes, self._engine = keep_days * DAY_S, keep_bytes, engine
        self._at = 0.0
        self._staged: dict[str, Any] = {}
        self._database = open_for_writing(path, survive_power_loss=survive_power_loss)
        try:
            self._sign_in()
        except BaseException:
            self._database.close()
            raise

    def event(self, event: Event) -> None:
        self._at = event.at
        with self._database.transaction():
            self._append(event)
            self._write_staged()

    def commands(self, commands: Sequence[Command]) -> None:
        with self._database.transaction():
            for command in commands:
                self._append(command)

    def checkpoint(self) -> Checkpoint | None:
        row = self._database.one("SELECT number, at, engine, body FROM checkpoints ORDER BY entry DESC LIMIT 1")
        if row is None:
            return None
        number, at, engine, body = row
        with readable(self.path, f"the newest checkpoint (of engine {engine}; this is {self._engine})"):
            return Checkpoint(number, at, codec.loads(unpacked(body), EngineState))

    def keep(self, checkpoint: Checkpoint) -> None:
        body = packed(codec.dumps(checkpoint.state, EngineState))
        with self._database.transaction():
            self._write_staged()
            entry = self._newest_entry()
            self._drop_rung()
            self._database.run(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
                *(entry, checkpoint.number, checkpoint.at, self._engine, body),
            )
        self._prune(checkpoint.at)

    def entries(self) -> Iterator[Event | Command]:
        expected = self._start() + 1
        for number, body in self._database.rows(
            "SELECT number, body FROM entries WHERE number >= ? ORDER BY number", expected
        ):
            if number != expected:
                raise JournalError(f"entry {expected} of the journal {self.path} is missing; restore a copy of it")
            expected += 1
            yield self._entry(number, body)

    def stage(self, name: str, tree: Mapping[str, Any]) -> None:
        """Keep `tree` (JSON values) under `name`: durable together with the next event, checkpoint, or `close`."""
        self._staged[name] = tree

    def kept(self, name: str) -> Any:
        """What was last kept under `name`, None where nothing was."""
        row = self._database.one("SELECT body FROM kept WHERE name = ?", name)
        if row is None:
            return None
        with readable(self.path, f"what is kept as {name!r}"):
            return codec.tree(unpacked(row[0]))

    def close(self) -> None:
        try:
            if self._staged:
                with self._database.transaction():
                    self._write_staged()
        finally:
            self._database.close()

    def _sign_in(self) -> None:
        """Note which engine writes from here on; another one's unfinished business is refused."""
        newest = self._newest_entry()
        row = self._database.one("SELECT engine FROM writers ORDER BY entry DESC LIMIT 1")
        if row == (self._engine,):
            return
        if row is not None and newest > self._start():
            raise JournalError(
                f"the journal {self.path} ends with {newest - self._start()} entries of engine {row[0]} that no checkpoint "
                f"covers, and this is engine {self._engine}: start that version once more and stop it with Ctrl-C (it then "
                "keeps a checkpoint), or move the journal away to start anew"
            )
        with self._database.transaction():
            self._database.run("INSERT OR REPLACE INTO writers VALUES (?, ?)", newest + 1, self._engine)

    def _start(self) -> int:
        """The last entry that need not be folded."""
        row = self._database.one("SELECT max(entry) FROM checkpoints")
        return int(row[0] or 0) if row else 0

    def _newest_entry(self) -> int:
        row = self._database.one("SELECT max(number) FROM entries")
        return max(int(row[0] or 0) if row else 0, self._start())

    def _append(self, entry: Event | Command) -> None:
        body = packed(codec.dumps(entry, codec.Entry))
        number = self._database.run(
            "INSERT INTO entries (kind, at, id, decision, body) VALUES (?, ?, ?, ?, ?)",
            *(type(entry).__name__, self._at, entry.id, decision_of(entry), body),
        )
        if isinstance(entry, Record):
            for subject in mentioned(entry.audit):
                self._database.run("INSERT INTO mentions VALUES (?, ?)", subject, number)

    def _write_staged(self) -> None:
        for name, tree in self._staged.items():
            self._database.run("INSERT OR REPLACE INTO kept VALUES (?, ?)", name, packed(codec.text(tree)))
        self._staged.clear()

    def _entry(self, number: int, body: str | bytes) -> Event | Command:
        with readable(self.path, f"entry {number}"):
            entry: Event | Command = codec.loads(unpacked(body), codec.Entry)
        return entry

    def _drop_rung(self) -> None:
        """Of the checkpoints before this one, keep the oldest, those a rung apart, and those where another engine began."""
        rows = list(self._database.rows("SELECT entry, at FROM checkpoints ORDER BY entry DESC LIMIT 2"))
        if len(rows) == 2 and rows[0][1] - rows[1][1] < self._keep_s / LADDER_RUNGS:
            self._database.run(
                "DELETE FROM checkpoints WHERE entry = ?1 AND ?1 + 1 NOT IN (SELECT entry FROM writers)", rows[0][0]
            )

    def _prune(self, now: float) -> None:
        """Drop what precedes the newest checkpoint older than the retention; then, while too big, rung by rung."""
        old = self._database.one("SELECT max(entry) FROM checkpoints WHERE at <= ?", now - self._keep_s)
        if old is not None and old[0] is not None:
            self._drop_until(old[0])
        while self._used_bytes() > self._keep_bytes:
            rung = self._database.one(
                "SELECT min(entry) FROM checkpoints WHERE entry >= (SELECT min(number) FROM entries)"
            )
            if rung is None or rung[0] is None:
                return
            self._drop_until(rung[0])

    def _drop_until(self, entry: int) -> None:
        with self._database.transaction():
            self._database.run("DELETE FROM entries WHERE number <= ?", entry)
            self._database.run("DELETE FROM mentions WHERE number <= ?", entry)
            self._database.run("DELETE FROM checkpoints WHERE entry < ?", entry)
        for _ in self._database.rows("PRAGMA incremental_vacuum"):
            pass

    def _used_bytes(self) -> int:
        row = self._database.one(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )
        return int(row[0]) if row else 0


def packed(text: str) -> str | bytes:
    """A long text compressed, a short one as it is."""
    return text if len(text) < PACKED_FROM_CHARACTERS else zlib.compress(text.encode(), 1)
