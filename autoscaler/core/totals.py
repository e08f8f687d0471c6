"""Running totals of what the engine did: what telemetry exports and a run prints at its end. Counting only.

The one mutable value of the engine's state; it is derived from the events alone, so a folded journal gives the same totals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from autoscaler.core.decision import Decision
from autoscaler.core.events import Outcome, StepEnded

BUCKETS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(slots=True)
class Durations:
    """A histogram: `counts[i]` of values up to BUCKETS_S[i], the last one of those above all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def add(self, value_s: float) -> None:
        self.counts[bisect_left(BUCKETS_S, value_s)] += 1
        self.sum_s += value_s


@dataclass(slots=True)
class Totals:
    """`actions`: "action outcome" -> count, outcome one of granted, denied, done, failed, withheld, stuck, infeasible.
    `steps`: "kind outcome" -> count. `denials`: guard -> count (the first veto of each denied proposal)."""

    decisions: int = 0
    abstained: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    denials: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    step_s: dict[str, Durations] = field(default_factory=dict)
    downtime: Durations = field(default_factory=Durations)
    migrations: int = 0
    sent_bytes: float = 0.0
    cost: float = 0.0
    alerts: int = 0

    def decided(self, decision: Decision) -> None:
        """Count a decision: what it granted, and what it denied by the first veto."""
        self.decisions += 1
        self.abstained += bool(decision.abstained)
        for proposal in decision.granted:
            self.actions[f"{proposal.action} granted"] += 1
        for denied in decision.denied:
            self.actions[f"{denied.proposal.action} denied"] += 1
            self.denials[denied.denials[0].guard] += 1

    def step(self, kind: str, event: StepEnded) -> None:
        """Count a step that has ended; how long it took only if it was done."""
        self.steps[f"{kind} {event.outcome}"] += 1
        if event.outcome is Outcome.DONE:
            self.step_s.setdefault(kind, Durations()).add(event.total_s)
        if event.outcome is Outcome.DONE and kind == "migrate":
            self.migrations += 1
            self.sent_bytes += event.sent_bytes
            self.downtime.add(event.downtime_s)
