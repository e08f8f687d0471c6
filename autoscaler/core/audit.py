"""One decision's record: digests of its inputs, the decision, the plan, versions. Enough to re-execute and to explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.core.decision import Decision
from autoscaler.core.steps import Plan


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`inputs`: figures of the snapshot the decision was made on (load, price, counts). `versions`: of engine and policy."""

    decision: Decision
    plan: Plan | None
    inputs: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
