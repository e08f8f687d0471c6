"""What the loop needs of the world: four seams, each with a simulated and a real implementer. Types only.

Contract, held by tests/contract for every implementer:
* `Actuator.submit` is idempotent by step id: submitting a step again neither repeats it nor fails; if it has ended, its
  outcome is reported again by `ended`. An outcome is reported at least once.
* `Source.read` raises SourceError (retry) rather than return half a cluster.
* `Journal` entries are durable when the call returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.events import Command, Event, Execute, Undo
from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All the engine remembers after event number `number`: what a restart begins with instead of the whole past."""

    number: int
    at: float
    state: EngineState


class Clock(Protocol):
    """Yields the time of each tick, in seconds since the epoch; ends when the run is over."""

    def ticks(self) -> Iterator[float]: ...


class Source(Protocol):
    """Yields what happened since the last read, observation last."""

    def read(self, now: float) -> Iterable[Event]: ...


class Actuator(Protocol):
    """Carries out commands and reports how they ended."""

    def submit(self, command: Execute | Undo, now: float) -> None: ...

    def ended(self, now: float) -> Iterable[Event]: ...


class Journal(Protocol):
    """The write-ahead log. `entries` gives what follows the newest checkpoint, oldest first."""

    def event(self, event: Event) -> None: ...

    def commands(self, commands: Sequence[Command]) -> None: ...

    def checkpoint(self) -> Checkpoint | None: ...

    def keep(self, checkpoint: Checkpoint) -> None: ...

    def entries(self) -> Iterator[Event | Command]: ...


class Strategy(Protocol):
    """Pure: the same snapshot gives the same proposals. Hyper-parameters are the fields of a frozen dataclass."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]: ...
