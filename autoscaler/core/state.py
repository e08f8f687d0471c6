"""All the engine remembers, in one value that can be journalled as a checkpoint. What is not here is not remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.core.audit import AuditRecord
from autoscaler.core.history import History
from autoscaler.core.ledger import Ledger
from autoscaler.core.policy import Policy
from autoscaler.core.saga import Saga
from autoscaler.core.totals import Totals

DEFAULT_WINDOW = 30


@dataclass(slots=True)
class EngineState:
    """`paused`: id ('' = the cluster) -> why. `stuck`: id -> why. `last`: the newest decision's record."""

    policy: Policy | None = None
    history: History = field(default_factory=lambda: History(DEFAULT_WINDOW))
    ledger: Ledger = field(default_factory=Ledger)
    sagas: tuple[Saga, ...] = ()
    paused: Mapping[str, str] = field(default_factory=dict)
    stuck: Mapping[str, str] = field(default_factory=dict)
    decided_at: float | None = None
    last: AuditRecord | None = None
    totals: Totals = field(default_factory=Totals)
