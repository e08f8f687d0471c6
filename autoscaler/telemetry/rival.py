"""A second policy beside the first: it sees what the first sees, decides with the same engine, and acts on nothing.

Separate from the loop because the first policy must not notice it: it is a watcher with an engine of its own, whose steps
all end as withheld, and it is in no journal. What it wishes for never happens, so it may wish for it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Decision
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Command, Event, Execute, Outcome, PolicyChanged, Record, StepEnded, Undo
from autoscaler.core.policy import Policy
from autoscaler.core.state import EngineState
from autoscaler.telemetry.reports import Report


@dataclass(frozen=True, slots=True)
class Difference:
    """One moment at which both decided: what each grants and the other does not, as `action subject`."""

    at: float
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(slots=True)
class Comparison:
    """Running totals: decisions both made, those in which they grant the same, and who grants what alone."""

    decisions: int = 0
    agreed: int = 0
    only_first: Counter[str] = field(default_factory=Counter)
    only_second: Counter[str] = field(default_factory=Counter)

    def add(self, difference: Difference) -> None:
        self.decisions += 1
        self.agreed += not difference.first and not difference.second
        self.only_first.update(wish.split(" ")[0] for wish in difference.first)
        self.only_second.update(wish.split(" ")[0] for wish in difference.second)


class ComparisonReport(Report):
    """`only_first`, `only_second`: action -> how often one policy granted it where the other did not."""

    policy: str
    decisions: int
    agreed: int
    only_first: dict[str, int]
    only_second: dict[str, int]


class Rival:
    """A `Watcher`. Give it the first engine's state at the start, so that it knows the cluster from the beginning."""

    def __init__(
        self,
        policy: Policy,
        toolbox: Toolbox,
        on_difference: Callable[[Difference], None] = lambda _difference: None,
        state: EngineState | None = None,
    ) -> None:
        start = EngineState() if state is None else EngineState(history=state.history)
        self.policy, self.compared = policy, Comparison()
        self._engine = Engine(toolbox, start)
        self._on_difference = on_difference
        self._withheld: list[str] = []
        self._engine.handle(PolicyChanged(0.0, policy))

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        """After the first policy's turn: the same event, judged by the second."""
        if isinstance(event, PolicyChanged | StepEnded):
            return  # the first policy's own affairs
        for step in self._withheld:
            self._engine.handle(StepEnded(now, step, Outcome.WITHHELD, "a rival acts on nothing", id=event.id))
        own = self._engine.handle(event)
        self._withheld = [c.undo_id if isinstance(c, Undo) else c.step.id for c in own if isinstance(c, Execute | Undo)]
        first, second = _decided(commands), _decided(own)
        if first is not None and second is not None:
            self._compare(now, first, second)

    def report(self) -> ComparisonReport:
        compared = self.compared
        return ComparisonReport(
            policy=self.policy.name,
            decisions=compared.decisions,
            agreed=compared.agreed,
            only_first=dict(sorted(compared.only_first.items())),
            only_second=dict(sorted(compared.only_second.items())),
        )

    def _compare(self, now: float, first: Decision, second: Decision) -> None:
        ours, theirs = _wishes(first), _wishes(second)
        difference = Difference(
            now,
            tuple(wish for wish in ours if wish not in theirs),
            tuple(wish for wish in theirs if wish not in ours),
        )
        self.compared.add(difference)
        if difference.first or difference.second:
            self._on_difference(difference)


def _decided(commands: list[Command]) -> Decision | None:
    audit: AuditRecord | None = next((c.audit for c in commands if isinstance(c, Record)), None)
    return None if audit is None else audit.decision


def _wishes(decision: Decision) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{proposal.action} {proposal.key}" for proposal in decision.granted))
