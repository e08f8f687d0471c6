"""Two marks per resource: above the upper one more is wanted, below the lower one less.

The load of a service is what its replicas use of what they were allocated; that of a cloud VM is what its app VMs use of what
it offers. More is wanted as soon as one resource is above its upper mark, less only when each is below its lower mark. A
new size starts in the middle between the marks at most, so that what was scaled down is not scaled up again at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import CPU, MEMORY, FloatArray, Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import Statistic, count, fraction, ratio
from autoscaler.strategies.reading import believed, by_service, measured
from autoscaler.strategies.replicas import Replicas
from autoscaler.strategies.sizes import Resizing, SizeMarks


@dataclass(frozen=True)
class Threshold:
    """Scale services out and in, and cloud VMs up and down, where a load has left the band between two marks."""

    subjects: Literal["both", "services", "cloud_vms"] = field(
        default="both", metadata={"doc": "what is scaled: `services` (out, in), `cloud_vms` (up, down), or `both`"}
    )
    cpu_up_fraction: float = fraction(0.8, "CPU load above which more is wanted")
    cpu_down_fraction: float = fraction(0.3, "CPU load below which less is wanted (if memory agrees)")
    memory_up_fraction: float = fraction(0.95, "memory load above which more is wanted")
    memory_down_fraction: float = fraction(0.8, "memory load below which less is wanted (if CPU agrees)")
    step_replicas: int = count(1, "replicas started or stopped at a time, per service")
    samples: int = count(3, parameters.SAMPLES_DOC)
    statistic: Statistic = field(default="mean", metadata={"doc": parameters.STATISTIC_DOC})
    memory_headroom_fraction: float = fraction(0.05, "memory kept free on a cloud VM of a new size")
    cpu_overcommit: float = ratio(4.0, parameters.OVERCOMMIT_DOC)

    def __post_init__(self) -> None:
        for resource in ("cpu", "memory"):
            down, up = getattr(self, f"{resource}_down_fraction"), getattr(self, f"{resource}_up_fraction")
            if down >= up:
                raise ValueError(f"{resource}_down {down:.0%} must be below {resource}_up {up:.0%}")

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        loads = {metric: self._use(snapshot, metric) for metric in (CPU, MEMORY)}
        proposals: list[Proposal] = []
        if self.subjects in ("both", "services"):
            proposals += self._replicas(snapshot, loads)
        if self.subjects in ("both", "cloud_vms"):
            proposals += Resizing(snapshot, loads, self._marks()).proposals()
        return proposals

    def _use(self, snapshot: Snapshot, metric: str) -> tuple[FloatArray, FloatArray]:
        """(app VMs,) twice: the least and the most that each may use. They differ where there never was a sample."""
        most = believed(snapshot, metric, self.samples, self.statistic)
        return np.where(measured(snapshot, metric), most, 0.0), most

    def _marks(self) -> SizeMarks:
        return SizeMarks(
            {CPU: self.cpu_up_fraction, MEMORY: self.memory_up_fraction},
            {CPU: self.cpu_down_fraction, MEMORY: self.memory_down_fraction},
            self.memory_headroom_fraction,
            self.cpu_overcommit,
        )

    def _replicas(self, snapshot: Snapshot, use: dict[str, tuple[FloatArray, FloatArray]]) -> Iterator[Proposal]:
        cpu = _shares(snapshot, use[CPU], snapshot.inventory.app_cores)
        memory = _shares(snapshot, use[MEMORY], snapshot.inventory.app_memory_bytes)
        replicas = Replicas(snapshot)
        for index, rows in enumerate(snapshot.by_service):
            bounds = replicas.within_bounds(index)
            if bounds or not len(rows):
                yield from bounds
                continue
            least = (float(cpu[0][index]), float(memory[0][index]))
            most = (float(cpu[1][index]), float(memory[1][index]))
            yield from self._changed(replicas, index, len(rows), least, most)

    def _changed(
        self, replicas: Replicas, index: int, running: int, least: tuple[float, float], most: tuple[float, float]
    ) -> list[Proposal]:
        ups = (self.cpu_up_fraction, self.memory_up_fraction)
        downs = (self.cpu_down_fraction, self.memory_down_fraction)
        for name, load, up in zip(("CPU", "memory"), least, ups, strict=True):
            if load > up:
                reason = f"{replicas.name(index)} is at {load:.0%} of its {name}, above {up:.0%}"
                return replicas.change(index, running + self.step_replicas, reason, _evidence(least))
        left = running - self.step_replicas
        if left >= 1 and most[0] < downs[0] and most[1] < downs[1] and most[0] * running / left < ups[0]:
            reason = (
                f"{replicas.name(index)} is at {most[0]:.0%} of its CPU and {most[1]:.0%} of its memory, "
                f"below {downs[0]:.0%} and {downs[1]:.0%}"
            )
            return replicas.change(index, left, reason, _evidence(most))
        return []


def _shares(snapshot: Snapshot, use: tuple[FloatArray, FloatArray], allocated: FloatArray) -> tuple[FloatArray, ...]:
    """(services,) twice: the least and the most that the replicas of each use, as shares of their allocation."""
    whole = np.maximum(by_service(snapshot, allocated), np.finfo(np.float64).tiny)
    return tuple(by_service(snapshot, values) / whole for values in use)


def _evidence(load: tuple[float, float]) -> dict[str, float]:
    return {"cpu_load_fraction": load[0], "memory_load_fraction": load[1]}
