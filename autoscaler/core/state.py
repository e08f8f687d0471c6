"""All the engine remembers, in one value that can be journalled as a checkpoint. What is not here is not remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.core.audit import AuditRecord
from autoscaler.core.correction import Correction
from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.history import History
from autoscaler.core.ledger import Ledger
from autoscaler.core.migration import Prediction
from autoscaler.core.policy import Policy
from autoscaler.core.saga import Saga
from autoscaler.core.steps import Step
from autoscaler.core.totals import Totals

DEFAULT_WINDOW = 30


@dataclass(slots=True)
class EngineState:
    """`paused`: id ('' = the cluster) -> why. `stuck`: id -> why. `seen_at`: those ids -> when they were last observed (or
    named). `doubts`: id -> how the newest observation of it contradicts itself. `last`: the newest decision's record.
    `correction`: what measured migrations say about the model of them."""

    policy: Policy | None = None
    history: History = field(default_factory=lambda: History(DEFAULT_WINDOW))
    ledger: Ledger = field(default_factory=Ledger)
    sagas: tuple[Saga, ...] = ()
    paused: Mapping[str, str] = field(default_factory=dict)
    stuck: Mapping[str, str] = field(default_factory=dict)
    seen_at: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)
    decided_at: float | None = None
    last: AuditRecord | None = None
    totals: Totals = field(default_factory=Totals)
    correction: Correction = field(default_factory=Correction)

    @property
    def alone(self) -> Mapping[str, str]:
        """id -> why nothing touches it before a person has looked: what is stuck, and what is in doubt."""
        return {**self.doubts, **self.stuck} if self.doubts else self.stuck

    def remember_measured(self, step: Step, event: StepEnded) -> None:
        """The pause that it caused, and what it took beside what the model said."""
        if event.downtime_s > 0:
            self.ledger = self.ledger.paused(step.action.subjects[0], event.at, event.downtime_s)
        if step.expects is not None and event.outcome is Outcome.DONE:
            took = Prediction(event.total_s, event.downtime_s, event.sent_bytes)
            self.correction = self.correction.learned(step.expects.by_model, took)

    def forget_absent(self, at: float, absent_s: float) -> tuple[str, ...]:
        """Forget pauses of, and stuck steps on, what has not been observed for `absent_s`; which that were."""
        if not self.paused and not self.stuck:
            self.seen_at = {}
            return ()
        inventory = self.history.inventory
        known = ({"": 0}, inventory.app_row, inventory.cloud_row, inventory.service_index)
        named = dict.fromkeys((*self.paused, *self.stuck))
        seen = {id_: at if any(id_ in rows for rows in known) else self.seen_at.get(id_, at) for id_ in named}
        gone = tuple(id_ for id_, last in seen.items() if at - last > absent_s)
        self.seen_at = {id_: last for id_, last in seen.items() if id_ not in gone}
        self.paused = {id_: why for id_, why in self.paused.items() if id_ not in gone}
        self.stuck = {id_: why for id_, why in self.stuck.items() if id_ not in gone}
        return gone
