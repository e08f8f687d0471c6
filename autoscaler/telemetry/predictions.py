"""What migrations were predicted to take, summed beside what they took: the loop's watcher that sees both ends of each.

Separate from the engine's totals because it is about the model, not about what happened: a journal that is folded again has no
need of it. Counts from the start of the process, as Prometheus' rates expect.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from prometheus_client import Counter

from autoscaler.core.engine import Engine
from autoscaler.core.events import Command, Event, Execute, Outcome, StepEnded
from autoscaler.core.migration import Prediction, predict
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import DIRTY, NOWHERE, Snapshot
from autoscaler.core.steps import Migrate

REMEMBERED = 10_000  # far more than can be under way; those whose end never comes are forgotten, oldest first


def _counter(name: str, text: str) -> Counter:
    return Counter(name, text, registry=None)


@dataclass(slots=True)
class Predictions:
    """Counts a migration when it is done, so that both sums are about the same ones."""

    engine: Engine
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
        begun = [c.step for c in commands if isinstance(c, Execute) and isinstance(c.step.action, Migrate)]
        if not begun:
            return
        snapshot, policy = self.engine.snapshot(), self.engine.state.policy
        for step in begun:
            assert isinstance(step.action, Migrate)
            row = snapshot.inventory.app_row.get(step.action.app_vm, NOWHERE)
            if row != NOWHERE:
                self._open[step.id] = predicted(snapshot, row, policy.limits if policy else Limits())
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


def predicted(snapshot: Snapshot, row: int, limits: Limits) -> Prediction:
    """Of the app VM in `row`, by what was measured last and the bandwidth the policy reckons with."""
    dirty = snapshot.usage.get(DIRTY)
    rate = 0.0 if dirty is None else float(np.nan_to_num(snapshot.recent(DIRTY, dirty.shape[1])[row]))
    return predict(float(snapshot.memory_in_use_bytes[row]), rate, limits.migration_bandwidth_bytes_per_s)
