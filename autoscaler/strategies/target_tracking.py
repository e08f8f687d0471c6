"""Keep the load of each service's replicas at a target: the formula of the Kubernetes Horizontal Pod Autoscaler.

As its documentation has it: replicas without a sample count as 0 where more are considered and as exactly at the target
where fewer are; where that turns the direction round, or brings the load within the tolerance, nothing is done. Beyond the
formula, a forecast may be named: the load that is foretold counts where it is above the measured one, and only there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import CPU, MEMORY, FloatArray, IntArray, Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.foresight import FORECAST_DOC, ForecastName, Foresight, foresee, lead_s
from autoscaler.strategies.parameters import count, fraction
from autoscaler.strategies.reading import by_service, seen
from autoscaler.strategies.replicas import Replicas

START_UP_S, BANDWIDTH_BYTES_PER_S = 90.0, 125e6  # how far ahead: a usual cloud VM's start-up, and moves over 1 Gbit/s
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
    forecast: ForecastName = field(default="none", metadata={"doc": FORECAST_DOC})
    forecast_quantile: float = field(
        default=0.9,
        metadata={
            "doc": "of the foretold CPU load, which counts where it is above the measured one",
            "ge": 0.5,
            "le": 0.999,
        },
    )

    def __post_init__(self) -> None:
        if self.cpu_target_fraction is None and self.memory_target_fraction is None:
            raise ValueError("nothing is tracked: give cpu_target or memory_target")
        if 0 in (self.cpu_target_fraction, self.memory_target_fraction):
            raise ValueError("a target of 0 asks for endlessly many replicas: give one above 0")

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        ahead_s = lead_s(snapshot, START_UP_S, BANDWIDTH_BYTES_PER_S)
        foreseen = foresee(snapshot, self.forecast, self.forecast_quantile, ahead_s)
        tracked = self._tracked(snapshot, foreseen)
        replicas, proposals = Replicas(snapshot), list[Proposal]()
        for index, rows in enumerate(snapshot.by_service):
            most = max(tracked, key=lambda metric: int(metric.wanted[index]))
            why = "" if self.forecast == "none" or most.name != "CPU" else f"; {foreseen.reasons[index]}"
            proposals += replicas.within_bounds(index) or _changed(replicas, index, len(rows), most, why)
        return proposals

    def _tracked(self, snapshot: Snapshot, foreseen: Foresight) -> list[Tracked]:
        inventory = snapshot.inventory
        least, nothing = np.fmax(foreseen.high, foreseen.later), np.full(len(snapshot.services), np.nan)
        metrics = (
            ("CPU", CPU, inventory.app_cores, self.cpu_target_fraction, least),
            ("memory", MEMORY, inventory.app_memory_bytes, self.memory_target_fraction, nothing),
        )
        return [
            self._track(snapshot, name, seen(snapshot, metric, self.samples), allocated, target, foretold)
            for name, metric, allocated, target, foretold in metrics
            if target is not None
        ]

    def _track(
        self,
        snapshot: Snapshot,
        name: str,
        used: FloatArray,
        allocated: FloatArray,
        target: float,
        foretold: FloatArray,
    ) -> Tracked:
        came = ~np.isnan(used)
        running = by_service(snapshot, np.ones(len(used)))
        used_sum = np.fmax(by_service(snapshot, np.where(came, used, 0.0)), foretold)
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


def _changed(replicas: Replicas, index: int, running: int, tracked: Tracked, why: str) -> list[Proposal]:
    wanted, load = int(tracked.wanted[index]), float(tracked.load_fraction[index])
    if wanted == running:
        return []
    missing = int(tracked.missing[index])
    unseen = f" ({missing} without a sample)" if missing else ""
    reason = (
        f"{replicas.name(index)}: {running} replicas{unseen} at {load:.0%} of their {tracked.name}, "
        f"target {tracked.target_fraction:.0%}: {wanted} are wanted{why}"
    )
    evidence = {"load_fraction": load, "target_fraction": tracked.target_fraction, "missing": float(missing)}
    return replicas.change(index, wanted, reason, evidence)
