"""One decision's record: digests of its inputs, the decision, the plan, versions. Enough to re-execute and to explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.decision import Decision
from autoscaler.core.proposals import Alternative
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Plan


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`inputs`: figures of the snapshot the decision was made on (load, price, counts). `versions`: of engine and policy.
    `alternatives`: whole plans that the strategy weighed, best first."""

    decision: Decision
    plan: Plan | None
    inputs: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()


def figures(snapshot: Snapshot) -> dict[str, float]:
    """The figures a decision was made on, for its record."""
    cores, memory = float(snapshot.inventory.cloud_cores.sum()), float(snapshot.inventory.cloud_memory_bytes.sum())
    placed = snapshot.placement >= 0
    return {
        "app_vms": float(placed.sum()),
        "cloud_vms": float(len(snapshot.cloud_vms)),
        "cpu_load_fraction": float(snapshot.cpu_in_use_cores[placed].sum()) / cores if cores else 0.0,
        "memory_load_fraction": float(snapshot.memory_in_use_bytes[placed].sum()) / memory if memory else 0.0,
        "price_per_hour": snapshot.inventory.price_per_hour,
        "oldest_sample_s": float(np.max(snapshot.age_s)) if len(snapshot.app_vms) else 0.0,
    }
