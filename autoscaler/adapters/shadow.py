"""The actuator of shadow mode: every step ends as withheld, which is not success, and nothing is done.

Separate so that no code path from here to a cluster exists; there is no switch that turns it into acting.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.core.events import Event, Execute, Outcome, StepEnded, Undo

REASON = "shadow mode: nothing is acted on"


class ShadowActuator:
    """Implements ports.Actuator. It needs no memory: a step asked for again is withheld again."""

    def __init__(self) -> None:
        self._withheld: dict[str, None] = {}

    def submit(self, command: Execute | Undo, now: float) -> None:
        del now
        self._withheld[command.undo_id if isinstance(command, Undo) else command.step.id] = None

    def ended(self, now: float) -> Iterable[Event]:
        ended = [StepEnded(now, step, Outcome.WITHHELD, REASON) for step in self._withheld]
        self._withheld.clear()
        return ended
