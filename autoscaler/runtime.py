"""The loop: the only caller of the ports, the same live, in shadow, in replay and in tests. It decides nothing.

The order of effects is a contract: (1) an event is journalled, (2) the commands it causes are journalled, (3) they are
acted on. A crash between any two is repaired by `recover`: the journal is folded, commands that were not written yet are
written, and every step that was started and has not ended is submitted again, which submitting by step id makes harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from autoscaler.core.engine import Engine
from autoscaler.core.events import Alert, Command, Event, Execute, Outcome, StepEnded, Undo
from autoscaler.core.saga import UNDO, Status
from autoscaler.errors import ActuationError, JournalError, SourceError
from autoscaler.ports import Actuator, Checkpoint, Clock, Journal, Source

Entry = Event | Command
TICKS_PER_CHECKPOINT = (
    30  # a restart decides at most this many ticks again: half a minute at 10,000 app VMs, else no time
)

LOST_NUMBERS = 1_000_000  # more events than any lost end of a journal has: ten days of one a second


class Watcher(Protocol):
    """Is shown what has happened, after it was acted on; changes nothing."""

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What a loop is made of. `sources` are read in order; the observation comes last."""

    clock: Clock
    sources: tuple[Source, ...]
    actuator: Actuator
    journal: Journal


@dataclass(slots=True)
class Pulse:
    """What can be measured of the loop itself. `number`: of the newest event. `tick_s`, `journal_s`: how long the last turn
    took, and how much of that it waited for the journal. `refusals`: submissions that an actuator turned down."""

    ticks: int = 0
    number: int = 0
    tick_s: float = 0.0
    journal_s: float = 0.0
    refusals: int = 0


class Loop:
    """Drives one engine. `watchers` see every event with its commands; `on_source_error` is told why nothing was read."""

    def __init__(
        self,
        engine: Engine,
        ports: Ports,
        watchers: Iterable[Watcher] = (),
        on_source_error: Callable[[float, SourceError], None] = lambda _now, _error: None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.engine, self.pulse = engine, Pulse()
        self._ports, self._timer = ports, timer
        self._watchers, self._on_source_error = tuple(watchers), on_source_error
        self._again: list[Execute | Undo] = []
        self._refused: list[StepEnded] = []

    def recover(self, now: float) -> int:
        """Fold the journal, complete what a crash cut off, and ask again about steps in flight. Returns the entries folded."""
        journal = self._ports.journal
        start = journal.checkpoint()
        if start is not None:
            self.engine.restore(start.state)
        folded, owed = fold(self.engine, journal.entries())
        self.pulse.number = max(folded.number, start.number if start else 0)
        if owed:
            journal.commands(owed)
        for command in in_doubt(self.engine):
            self._submit(command, now)
        return folded.entries

    def skip_numbers(self) -> None:
        """After `recover`, where the world is ahead of the journal (its end was lost): what the lost events were called, and
        the steps and names made from them, must not be used again for something else."""
        self.pulse.number += LOST_NUMBERS

    def run(self) -> None:
        """Tick until the clock ends, then let the journal keep where things stand."""
        now: float | None = None
        for now in self._ports.clock.ticks():
            self.tick(now)
            if self.pulse.ticks % TICKS_PER_CHECKPOINT == 0:
                self.checkpoint(now)
        if now is not None:
            self.checkpoint(now)

    def tick(self, now: float) -> None:
        """One turn: outcomes first, then what the sources say, each event through to its commands."""
        began, self.pulse.journal_s = self._timer(), 0.0
        self._submit_again(now)
        for event in self._events(now):
            self._handle(event, now)
        self.pulse.ticks += 1
        self.pulse.tick_s = self._timer() - began

    def checkpoint(self, now: float) -> None:
        """Let the journal keep all the engine remembers, so that a restart need not fold the whole past."""
        self._ports.journal.keep(Checkpoint(self.pulse.number, now, self.engine.state))

    def _handle(self, event: Event, now: float) -> None:
        stamped = replace(event, id=f"e{self.pulse.number + 1}")
        self._write(lambda journal: journal.event(stamped))
        self.pulse.number += 1
        commands = self.engine.handle(stamped)
        if commands:
            self._write(lambda journal: journal.commands(commands))
        for command in commands:
            if isinstance(command, Execute | Undo):
                self._submit(command, now)
        for watcher in self._watchers:
            watcher(now, stamped, commands)

    def _write(self, write: Callable[[Journal], None]) -> None:
        began = self._timer()
        write(self._ports.journal)
        self.pulse.journal_s += self._timer() - began

    def _submit(self, command: Execute | Undo, now: float) -> None:
        """What an actuator turns down for now is submitted again next tick; for good, it has failed."""
        try:
            self._ports.actuator.submit(command, now)
        except ActuationError as error:
            self.pulse.refusals += 1
            if error.temporary:
                self._again.append(command)
            else:
                self._refused.append(StepEnded(now, step_id(command), Outcome.FAILED, str(error)))

    def _submit_again(self, now: float) -> None:
        """Only what the engine still waits for: it may have given a step up meanwhile."""
        again, self._again = self._again, []
        awaited = {step_id(command) for command in in_doubt(self.engine)} if again else set()
        for command in again:
            if step_id(command) in awaited:
                self._submit(command, now)

    def _events(self, now: float) -> Iterator[Event]:
        refused, self._refused = self._refused, []
        yield from refused
        for read in (self._ports.actuator.ended, *(source.read for source in self._ports.sources)):
            try:
                yield from read(now)
            except SourceError as error:
                self._on_source_error(now, error)


def step_id(command: Execute | Undo) -> str:
    """The id under which an actuator knows the command."""
    return command.undo_id if isinstance(command, Undo) else command.step.id


@dataclass(frozen=True, slots=True)
class Folded:
    """How far a journal went: its entries, and the number of its last event."""

    entries: int
    number: int


def fold(engine: Engine, entries: Iterable[Entry]) -> tuple[Folded, list[Command]]:
    """Run the journalled events through `engine`; the commands of the last one that were not written yet are returned.

    Raises JournalError where a journalled command is not what the event causes: then this is another engine's journal.
    """
    count = number = 0
    owed: list[Command] = []
    for entry in entries:
        count += 1
        if not is_event(entry):
            expect(owed, entry)
            continue
        if owed:
            raise JournalError(
                f"{named(owed[0])} is missing before event {entry.id}: the journal is damaged, or was written by another "
                "version or with other plug-ins; restore those, or move the journal away to start anew"
            )
        number = int(entry.id.removeprefix("e"))
        owed = handled(engine, entry)  # type: ignore[arg-type]
    return Folded(count, number), owed


def handled(engine: Engine, event: Event) -> list[Command]:
    """What a journalled event causes. Raises JournalError where it cannot be handled: no restart would get past it."""
    try:
        return engine.handle(event)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise JournalError(
            f"event {event.id} ({type(event).__name__}) of the journal cannot be handled: {type(error).__name__}: {error}; "
            "keep the journal for a report, and start anew with another one"
        ) from error


def is_event(entry: Entry) -> bool:
    """Events are caused by the world, commands by an event."""
    return not hasattr(entry, "cause")


def expect(owed: list[Command], entry: Entry) -> None:
    """Take `entry` off the commands that are due; raises JournalError where it is not the next one."""
    if not owed or owed[0].id != entry.id or type(owed[0]) is not type(entry):
        due = named(owed[0]) if owed else "no command"
        raise JournalError(
            f"the journal holds {type(entry).__name__} {entry.id} where this version would have {due}: "
            "it was written by another version or with other plug-ins; restore those, or move the journal away to start anew"
        )
    owed.pop(0)


def named(command: Command) -> str:
    """A command in an error's words; an alert says what is the matter."""
    why = f" ({command.reason})" if isinstance(command, Alert) else ""
    return f"{type(command).__name__} {command.id}{why}"


def in_doubt(engine: Engine) -> list[Execute | Undo]:
    """Steps submitted whose end is not known, to be submitted again in the order in which they were: undone ones last
    step first."""
    doubtful: list[Execute | Undo] = []
    for saga in engine.state.sagas:
        doubtful += [Execute(run.step, "recovery") for run in saga.runs if run.status is Status.RUNNING]
        doubtful += [
            Undo(run.step, run.step.id + UNDO, run.step.undo, "recovery")
            for run in reversed(saga.runs)
            if run.status is Status.UNDOING and run.step.undo is not None
        ]
    return doubtful
