"""What migrations were predicted to take, summed beside what they took: the loop's watcher that sees both ends of each.

Separate from the engine's totals because it is about the model, not about what happened: a journal that is folded again has no
need of it. Counts from the start of the process, as Prometheus' rates expect.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import Counter

from autoscaler.core.events import Command, Event, Execute, Outcome, StepEnded
from autoscaler.core.migration import Prediction

REMEMBERED = 10_000  # far more than can be under way; those whose end never comes are forgotten, oldest first


def _counter(name: str, text: str) -> Counter:
    return Counter(name, text, registry=None)


@dataclass(slots=True)
class Predictions:
    """Counts a migration when it is done, so that both sums are about the same ones."""

    total_s: Counter = field(
        default_factory=lambda: _counter(
            "flexcapsule_migration_predicted_seconds_total", "Time that the migrations done were predicted to take"
        )
    )
    taken_s: Counter = field(
        default_factory=lambda: _counter(
            "flexcapsule_migration_taken_seconds_total", "Time that the same migrations took"
        )
    )
    downtime_s: Counter = field(
        default_factory=lambda: _counter(
            "flexcapsule_migration_predicted_downtime_seconds_total", "Pause that they were predicted to cause"
        )
    )
    paused_s: Counter = field(
        default_factory=lambda: _counter("flexcapsule_migration_paused_seconds_total", "Pause that they caused")
    )
    _open: dict[str, Prediction] = field(default_factory=dict)

    @property
    def counters(self) -> tuple[Counter, ...]:
        return (self.total_s, self.taken_s, self.downtime_s, self.paused_s)

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del now
        if isinstance(event, StepEnded):
            self._ended(event)
        begun = (command.step for command in commands if isinstance(command, Execute))
        self._open |= {step.id: step.expects.corrected for step in begun if step.expects is not None}
        while len(self._open) > REMEMBERED:
            del self._open[next(iter(self._open))]

    def _ended(self, event: StepEnded) -> None:
        prediction = self._open.pop(event.step, None)
        if prediction is None or event.outcome is not Outcome.DONE:
            return
        self.total_s.inc(prediction.total_s)
        self.taken_s.inc(event.total_s)
        self.downtime_s.inc(prediction.downtime_s)
        self.paused_s.inc(event.downtime_s)
