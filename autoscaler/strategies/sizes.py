"""Which cloud VMs should be of another size, and of which: the cheapest of the catalogue that holds what is there.

Separate from `threshold` because choosing a size is a rule of its own. Moving single app VMs is `consolidate`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from autoscaler.core.model import CloudVMSize
from autoscaler.core.proposals import Proposal, ScaleDown, ScaleUp
from autoscaler.core.snapshot import CPU, MEMORY, FloatArray, Snapshot
from autoscaler.strategies.reading import cloud_vms_at_rest

ROUNDING = 1e-9  # of a core or a byte: sums of floats may differ in the last digit


@dataclass(frozen=True, slots=True)
class SizeMarks:
    """Per metric: the load above which a cloud VM is too small, and below which it is too big; and what a new one must keep."""

    up: Mapping[str, float]
    down: Mapping[str, float]
    memory_headroom_fraction: float
    cpu_overcommit: float

    def landing(self, metric: str) -> float:
        """The most load that a new size may start with: the middle between the marks."""
        return (self.up[metric] + self.down[metric]) / 2


@dataclass(frozen=True, slots=True)
class Tenants:
    """What the app VMs of one cloud VM use and were allocated, together."""

    cpu_used: float
    memory_used_bytes: float
    cores: float
    memory_bytes: float

    def cpu_load(self, size: CloudVMSize) -> float:
        return self.cpu_used / size.cores

    def memory_load(self, size: CloudVMSize) -> float:
        return self.memory_used_bytes / size.memory_bytes


class Resizing:
    """`use`: metric -> (app VMs,) twice, the least and the most that each may use. Too small is judged by the least."""

    def __init__(self, snapshot: Snapshot, use: Mapping[str, tuple[FloatArray, FloatArray]], marks: SizeMarks) -> None:
        self._snapshot, self._marks = snapshot, marks
        on, inventory = snapshot.on_cloud_vms, snapshot.inventory
        self._least = {metric: on(least) for metric, (least, _) in use.items()}
        self._most = {metric: on(most) for metric, (_, most) in use.items()}
        self._cores, self._memory_bytes = on(inventory.app_cores), on(inventory.app_memory_bytes)

    def proposals(self) -> Iterator[Proposal]:
        """The worst overloads first, then what can be smaller, by row."""
        inventory, marks = self._snapshot.inventory, self._marks
        offered = {CPU: inventory.cloud_cores, MEMORY: inventory.cloud_memory_bytes}
        free = cloud_vms_at_rest(self._snapshot)
        free[[row for row in range(len(free)) if free[row] and self._holds_pinned(row)]] = False
        excess = np.maximum(*(self._least[metric] / offered[metric] - marks.up[metric] for metric in (CPU, MEMORY)))
        small = np.logical_and(*(self._most[metric] / offered[metric] < marks.down[metric] for metric in (CPU, MEMORY)))
        for row in np.flatnonzero(free & (excess > 0))[np.argsort(-excess[free & (excess > 0)], kind="stable")]:
            yield from self._up(int(row))
        for row in np.flatnonzero(free & small):
            yield from self._down(int(row))

    def _holds_pinned(self, row: int) -> bool:
        return any(self._snapshot.app_vms[app].pinned_to for app in self._snapshot.by_cloud_vm[row])

    def _up(self, row: int) -> Iterator[Proposal]:
        now, tenants = self._snapshot.cloud_vms[row].size, self._tenants(row, self._least)
        cpu, memory = tenants.cpu_load(now), tenants.memory_load(now)
        cpu_over, memory_over = cpu > self._marks.up[CPU], memory > self._marks.up[MEMORY]
        bigger = [
            size
            for size in self._holding(tenants)
            if (size.cores > now.cores or not cpu_over) and (size.memory_bytes > now.memory_bytes or not memory_over)
        ]
        landing = [size for size in bigger if self._lands(tenants, size)]
        # none is big enough: the one that helps most, for what its price is
        chosen = min(landing, key=_price) if landing else max(bigger, key=_bulk, default=None)
        if chosen is None:
            return
        what, load, mark = ("CPU", cpu, CPU) if cpu_over else ("memory", memory, MEMORY)
        reason = f"{self._name(row)} is at {load:.0%} of its {what}, above {self._marks.up[mark]:.0%}; "
        yield ScaleUp(self._name(row), chosen.name, reason + _after(tenants, chosen), _evidence(tenants, now, chosen))

    def _down(self, row: int) -> Iterator[Proposal]:
        now, tenants = self._snapshot.cloud_vms[row].size, self._tenants(row, self._most)
        cheaper = [
            size
            for size in self._holding(tenants)
            if size.price_per_hour < now.price_per_hour and self._lands(tenants, size)
        ]
        if not cheaper:
            return
        chosen = min(cheaper, key=_price)
        reason = (
            f"{self._name(row)} is at {tenants.cpu_load(now):.0%} of its CPU and {tenants.memory_load(now):.0%} of its "
            f"memory, below {self._marks.down[CPU]:.0%} and {self._marks.down[MEMORY]:.0%}; "
        )
        yield ScaleDown(self._name(row), chosen.name, reason + _after(tenants, chosen), _evidence(tenants, now, chosen))

    def _holding(self, tenants: Tenants) -> list[CloudVMSize]:
        """Sizes that hold what was allocated, as the guards count it."""
        keep = 1 - self._marks.memory_headroom_fraction
        return [
            size
            for size in self._snapshot.catalogue
            if tenants.memory_bytes <= size.memory_bytes * keep + ROUNDING
            and tenants.cores <= size.cores * self._marks.cpu_overcommit + ROUNDING
        ]

    def _lands(self, tenants: Tenants, size: CloudVMSize) -> bool:
        cpu, memory = self._marks.landing(CPU), self._marks.landing(MEMORY)
        return tenants.cpu_load(size) <= cpu + ROUNDING and tenants.memory_load(size) <= memory + ROUNDING

    def _tenants(self, row: int, use: Mapping[str, FloatArray]) -> Tenants:
        return Tenants(
            float(use[CPU][row]), float(use[MEMORY][row]), float(self._cores[row]), float(self._memory_bytes[row])
        )

    def _name(self, row: int) -> str:
        return self._snapshot.cloud_vms[row].id


def _price(size: CloudVMSize) -> float:
    return size.price_per_hour


def _bulk(size: CloudVMSize) -> tuple[float, float]:
    return (size.cores, size.memory_bytes)


def _after(tenants: Tenants, size: CloudVMSize) -> str:
    return f"{tenants.cpu_used:.2f} cores in use are {tenants.cpu_load(size):.0%} of a {size.name}"


def _evidence(tenants: Tenants, now: CloudVMSize, chosen: CloudVMSize) -> dict[str, float]:
    return {
        "cpu_load_fraction": tenants.cpu_load(now),
        "memory_load_fraction": tenants.memory_load(now),
        "cpu_load_after_fraction": tenants.cpu_load(chosen),
        "price_change_per_hour": chosen.price_per_hour - now.price_per_hour,
    }
