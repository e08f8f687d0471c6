"""Keep the load of each service's replicas at a target: the formula of the Kubernetes Horizontal Pod Autoscaler.

As its documentation has it: replicas without a sample count as 0 where more are considered and as exactly at the target
where fewer are; where that turns the direction round, or brings the load within the tolerance, nothing is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import CPU, MEMORY, FloatArray, IntArray, Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import count, fraction
from autoscaler.strategies.reading import by_service, seen
from autoscaler.strategies.replicas import Replicas

ROUNDING = 1e-9  # 4 x 0.9 / 0.6 is six replicas, not seven


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """One metric over all services: `load_fraction` as seen (NaN: no sample at all), `missing` replicas, `wanted` ones."""

    name: str
    target_fraction: float
    load_fraction: FloatArray
    missing: IntArray
    wanted: IntArray


@dataclass(frozen=True)
class TargetTracking:
    """As many replicas as ceil(replicas x load / target); with two targets, the larger number of the two."""

    cpu_target_fraction: float | None = fraction(0.6, "wanted CPU load of the replicas (used / allocated cores)")
    memory_target_fraction: float | None = fraction(None, "wanted memory load of the replicas; left out: not tracked")
    tolerance_fraction: float = fraction(0.1, "relative distance from the target within which nothing is done")
    samples: int = count(3, parameters.SAMPLES_DOC)

    def __post_init__(self) -> None:
        if self.cpu_target_fraction is None and self.memory_target_fraction is None:
            raise ValueError("nothing is tracked: give cpu_target or memory_target")
        if 0 in (self.cpu_target_fraction, self.memory_target_fraction):
            raise ValueError("a target of 0 asks for endlessly many replicas: give one above 0")

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        tracked = self._tracked(snapshot)
        replicas, proposals = Replicas(snapshot), list[Proposal]()
        for index, rows in enumerate(snapshot.by_service):
            most = max(tracked, key=lambda metric: int(metric.wanted[index]))
            proposals += replicas.within_bounds(index) or _changed(replicas, index, len(rows), most)
        return proposals

    def _tracked(self, snapshot: Snapshot) -> list[Tracked]:
        inventory = snapshot.inventory
        metrics = (
            ("CPU", CPU, inventory.app_cores, self.cpu_target_fraction),
            ("memory", MEMORY, inventory.app_memory_bytes, self.memory_target_fraction),
        )
        return [
            self._track(snapshot, name, seen(snapshot, metric, self.samples), allocated, target)
            for name, metric, allocated, target in metrics
            if target is not None
        ]

    def _track(self, snapshot: Snapshot, name: str, used: FloatArray, allocated: FloatArray, target: float) -> Tracked:
        came = ~np.isnan(used)
        running = by_service(snapshot, np.ones(len(used)))
        used_sum = by_service(snapshot, np.where(came, used, 0.0))
        seen_sum = by_service(snapshot, np.where(came, allocated, 0.0))
        missing_sum = by_service(snapshot, np.where(came, 0.0, allocated))
        load = np.divide(used_sum, seen_sum, out=np.full(len(running), np.nan), where=seen_sum > 0)
        first = load / target
        assumed = used_sum + np.where(first < 1, missing_sum * target, 0.0)
        whole = seen_sum + missing_sum
        ratio = np.divide(assumed, whole * target, out=np.ones(len(running)), where=whole > 0)
        stays = np.isnan(first) | (np.abs(ratio - 1) <= self.tolerance_fraction + ROUNDING)
        stays |= (first < 1) != (ratio < 1)
        wanted = np.where(stays, running, np.ceil(ratio * running - ROUNDING))
        missing = by_service(snapshot, np.where(came, 0.0, 1.0))
        return Tracked(name, target, load, missing.astype(np.int64), wanted.astype(np.int64))


def _changed(replicas: Replicas, index: int, running: int, tracked: Tracked) -> list[Proposal]:
    wanted, load = int(tracked.wanted[index]), float(tracked.load_fraction[index])
    if wanted == running:
        return []
    missing = int(tracked.missing[index])
    unseen = f" ({missing} without a sample)" if missing else ""
    reason = (
        f"{replicas.name(index)}: {running} replicas{unseen} at {load:.0%} of their {tracked.name}, "
        f"target {tracked.target_fraction:.0%}: {wanted} are wanted"
    )
    evidence = {"load_fraction": load, "target_fraction": tracked.target_fraction, "missing": float(missing)}
    return replicas.change(index, wanted, reason, evidence)
