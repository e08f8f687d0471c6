"""A journal that lives as long as its process: for replays, tuning and tests, where there is nothing to come back to.

Separate from journal.py because it knows no file and no text. Same contract, except that nothing survives the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace

from autoscaler.core.events import Command, Event
from autoscaler.core.state import EngineState
from autoscaler.ports import Checkpoint


class MemoryJournal:
    """What follows the newest checkpoint; keeping one forgets what precedes it, so that memory is bounded."""

    def __init__(self) -> None:
        self._entries: list[Event | Command] = []
        self._checkpoint: Checkpoint | None = None

    def event(self, event: Event) -> None:
        self._entries.append(event)

    def commands(self, commands: Sequence[Command]) -> None:
        self._entries.extend(commands)

    def checkpoint(self) -> Checkpoint | None:
        return None if self._checkpoint is None else _apart(self._checkpoint)

    def keep(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = _apart(checkpoint)
        self._entries.clear()

    def entries(self) -> Iterator[Event | Command]:
        return iter(tuple(self._entries))


def _apart(checkpoint: Checkpoint) -> Checkpoint:
    """Values are shared, but not what an engine changes in place: its state and its totals."""
    state: EngineState = replace(checkpoint.state, totals=deepcopy(checkpoint.state.totals))
    return replace(checkpoint, state=state)
