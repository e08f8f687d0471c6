"""From a figure back to its decision: the newest decisions' numbers, and an exemplar for each bucket of the histograms.

One number is the way through everything: observation `e118` is judged by decision `d118`, carried out by plan `p118`, whose
steps are `p118.s1`, ... Ids are no labels (they never come again); a number as a value, and exemplars, cost no series. A
watcher of the loop; counts from the start of the process.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from autoscaler.core.events import Command, Event, Execute, Outcome, Record, StepEnded
from autoscaler.core.steps import Step
from autoscaler.core.totals import BUCKETS_S

REMEMBERED = 10_000  # steps whose end has not come; far more than can be under way
LONGEST = 128  # characters of names and values that OpenMetrics allows an exemplar
DOWNTIME = "downtime"  # beside the kinds of steps


def number_of(id_: str) -> int | None:
    """118 of e118, d118, p118, p118.s3, p118.s3.undo or 118; None where it is no such id."""
    digits = id_.partition(".")[0].lstrip("edp")
    known = len(id_.partition(".")[0]) - len(digits) <= 1
    return int(digits) if known and digits.isascii() and digits.isdigit() else None


def decision_of(step: str) -> str:
    """The decision that a step carries out."""
    return f"d{number_of(step)}"


@dataclass(slots=True, eq=False)
class Trail(Collector):
    """`newest`: number of the newest decision; `acting`: of the newest one with steps."""

    newest: float = math.nan
    acting: float = math.nan
    _begun: dict[str, Step] = field(default_factory=dict)
    _exemplars: dict[tuple[str, int], Exemplar] = field(default_factory=dict)

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del now
        if isinstance(event, StepEnded):
            self._ended(event)
        for command in commands:
            if isinstance(command, Execute):
                self._begun[command.step.id] = command.step
            elif isinstance(command, Record):
                self._decided(command)
        while len(self._begun) > REMEMBERED:
            del self._begun[next(iter(self._begun))]

    def exemplar(self, kind: str, bucket: int) -> Exemplar | None:
        """The newest value that fell into a bucket of `BUCKETS_S`, with the step it belongs to."""
        return self._exemplars.get((kind, bucket))

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "flexcapsule_decision_number",
            "118 of d118: the newest decision, and the newest with steps",
            labels=["which"],
        )
        family.add_metric(["newest"], self.newest)
        family.add_metric(["acting"], self.acting)
        yield family

    def _decided(self, record: Record) -> None:
        self.newest = float(number_of(record.audit.decision.id) or 0)
        if record.audit.plan is not None and record.audit.plan.steps:
            self.acting = self.newest

    def _ended(self, event: StepEnded) -> None:
        step = self._begun.pop(event.step, None)
        if step is None or event.outcome is not Outcome.DONE:
            return
        labels = {"decision": decision_of(step.id), "step": step.id, "subject": step.action.subjects[0]}
        if sum(len(name) + len(value) for name, value in labels.items()) > LONGEST:
            del labels["subject"]
        kind = step.action.kind
        self._exemplars[kind, bisect_left(BUCKETS_S, event.total_s)] = Exemplar(labels, event.total_s)
        if kind == "migrate":
            self._exemplars[DOWNTIME, bisect_left(BUCKETS_S, event.downtime_s)] = Exemplar(labels, event.downtime_s)
