"""Re-execute a journal and compare every command with what was written, byte for byte: `flexcapsule verify`.

Open-loop: the same events go in, the same commands must come out. Separate from the loop because it acts on nothing and
needs the texts as they stand in the file, which the loop never sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from autoscaler.adapters import codec
from autoscaler.adapters.decisions import JournalReader, Written, WrittenCheckpoint, readable
from autoscaler.core.engine import ENGINE_VERSION, Engine, Toolbox
from autoscaler.core.events import Command, Event
from autoscaler.core.state import EngineState
from autoscaler.errors import JournalError

COMMANDS = frozenset(kind.__name__ for kind in get_args(Command))
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where journal and re-execution part. `entry`: its number in the journal; `event`: the cause; the two
    texts are as written, or "nothing"."""

    entry: int
    event: str
    written: str
    executed: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was re-executed. `begins_at`: the first entry of it; what precedes was pruned, or written by another engine
    version. `unfinished`: the commands of the last event were not written (a crash; the next start writes them)."""

    begins_at: int
    events: int
    commands: int
    checkpoints: int
    unfinished: bool
    difference: Difference | None

    @property
    def same(self) -> bool:
        return self.difference is None


def verify(journal: Path, toolbox: Toolbox) -> Verification:
    """Raises JournalError where the file is damaged, or was written by another version of the engine."""
    reader = JournalReader(journal)
    reader.check_whole()
    start = _start(reader)
    engine = Engine(toolbox)
    if start is not None:
        engine.restore(_state(journal, start))
    begins_at = start.entry + 1 if start is not None else 1
    execution = _Execution(
        journal, engine, {each.entry: each for each in reader.checkpoints() if each.entry >= begins_at}
    )
    difference = execution.follow(reader.written(begins_at - 1), begins_at)
    return Verification(
        begins_at,
        execution.events,
        execution.commands,
        execution.checkpoints,
        unfinished=difference is None and bool(execution.due),
        difference=difference,
    )


def _start(reader: JournalReader) -> WrittenCheckpoint | None:
    """Where to begin: the journal's head, or the oldest checkpoint of this engine's entries."""
    writers = reader.writers()
    if writers and writers[-1][1] != ENGINE_VERSION:
        raise JournalError(
            f"the journal {reader.path} was written by engine {writers[-1][1]}, and this is engine {ENGINE_VERSION}: "
            "only the version that wrote it can verify it"
        )
    own = writers[-1][0] if writers else 1
    first = next(iter(reader.written()), None)
    head = max(own, first.number if first is not None else 1)
    if head == 1:
        return None
    for checkpoint in reader.checkpoints():
        if checkpoint.entry >= head - 1:
            return checkpoint
    raise JournalError(
        f"the journal {reader.path} lacks its first {head - 1} entries and a checkpoint that covers them"
    )


def _state(journal: Path, checkpoint: WrittenCheckpoint) -> EngineState:
    with readable(journal, f"the checkpoint after entry {checkpoint.entry}"):
        state: EngineState = codec.loads(checkpoint.text, EngineState)
    return state


class _Execution:
    """An engine that follows what was written, entry by entry. `due`: commands that the last event caused, not seen yet."""

    def __init__(self, path: Path, engine: Engine, checkpoints: dict[int, WrittenCheckpoint]) -> None:
        self._path, self._engine, self._checkpoints = path, engine, checkpoints
        self.due: list[str] = []
        self.events = self.commands = self.checkpoints = 0
        self._event = ""

    def follow(self, entries: Iterator[Written], begins_at: int) -> Difference | None:
        expected = begins_at
        for entry in entries:
            if entry.number != expected:
                raise JournalError(f"entry {expected} of the journal {self._path} is missing; restore a copy of it")
            expected += 1
            difference = self._command(entry) if entry.kind in COMMANDS else self._next_event(entry)
            difference = difference or self._checkpoint(entry)
            if difference is not None:
                return difference
        return None

    def _command(self, entry: Written) -> Difference | None:
        self.commands += 1
        executed = self.due.pop(0) if self.due else NOTHING
        return None if executed == entry.text else Difference(entry.number, self._event, entry.text, executed)

    def _next_event(self, entry: Written) -> Difference | None:
        if self.due:
            return Difference(entry.number, self._event, NOTHING, self.due[0])
        self.events, self._event = self.events + 1, entry.id
        with readable(self._path, f"entry {entry.number}"):
            event: Event = codec.loads(entry.text, codec.Entry)
        try:
            commands: list[Command] = self._engine.handle(event)
        except Exception as error:  # noqa: BLE001  whatever it is, the run that wrote this did not end here
            return Difference(entry.number, entry.id, entry.kind, f"{type(error).__name__}: {error}")
        self.due = [codec.dumps(command, codec.Entry) for command in commands]
        return None

    def _checkpoint(self, entry: Written) -> Difference | None:
        """A kept state must be the state that re-execution comes to."""
        kept = self._checkpoints.get(entry.number)
        if kept is None:
            return None
        self.checkpoints += 1
        state = codec.dumps(self._engine.state, EngineState)
        return None if state == kept.text else Difference(entry.number, self._event, kept.text, state)
