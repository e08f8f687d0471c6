"""Everything believed at one instant, immutable: who exists (`Inventory`), who runs where, and the measured windows.

One row per app VM, in order of first appearance; arrays are read-only. Missing samples are NaN, never guessed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autoscaler.core.apart import Apart
from autoscaler.core.correction import Correction
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.past import Past

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CPU = "cpu_cores"
MEMORY = "memory_bytes"
DIRTY = "dirty_bytes_per_s"
NOWHERE = -1


A = TypeVar("A", FloatArray, IntArray, BoolArray)


def frozen(array: A) -> A:
    """The same array, made read-only."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Inventory:
    """Who exists. Made anew only when somebody comes, goes or changes; shared by all snapshots in between."""

    catalogue: tuple[CloudVMSize, ...]
    cloud_vms: tuple[CloudVM, ...]
    app_vms: tuple[AppVM, ...]
    services: tuple[Service, ...]

    @cached_property
    def cloud_row(self) -> dict[str, int]:
        return {cloud_vm.id: row for row, cloud_vm in enumerate(self.cloud_vms)}

    @cached_property
    def app_row(self) -> dict[str, int]:
        return {app_vm.id: row for row, app_vm in enumerate(self.app_vms)}

    @cached_property
    def service_index(self) -> dict[str, int]:
        return {service.id: row for row, service in enumerate(self.services)}

    @cached_property
    def sizes(self) -> dict[str, CloudVMSize]:
        return {size.name: size for size in self.catalogue}

    @cached_property
    def cloud_cores(self) -> FloatArray:
        """Cores each cloud VM offers, shape (cloud VMs,)."""
        return np.array([cloud_vm.size.cores for cloud_vm in self.cloud_vms], dtype=np.float64)

    @cached_property
    def cloud_memory_bytes(self) -> FloatArray:
        return np.array([cloud_vm.size.memory_bytes for cloud_vm in self.cloud_vms], dtype=np.float64)

    @cached_property
    def cloud_price_per_hour(self) -> FloatArray:
        return np.array([cloud_vm.size.price_per_hour for cloud_vm in self.cloud_vms], dtype=np.float64)

    @cached_property
    def cloud_active(self) -> BoolArray:
        """Which cloud VMs may receive app VMs."""
        return np.array([cloud_vm.state is CloudVMState.ACTIVE for cloud_vm in self.cloud_vms], dtype=np.bool_)

    @cached_property
    def app_cores(self) -> FloatArray:
        """Cores allocated to each app VM, shape (app VMs,)."""
        return np.array([app_vm.cores for app_vm in self.app_vms], dtype=np.float64)

    @cached_property
    def app_memory_bytes(self) -> FloatArray:
        return np.array([app_vm.memory_bytes for app_vm in self.app_vms], dtype=np.float64)

    @cached_property
    def app_service(self) -> IntArray:
        """Row of each app VM's service, NOWHERE where it has none."""
        index = self.service_index
        return np.array([index.get(app_vm.service, NOWHERE) for app_vm in self.app_vms], dtype=np.int64)

    @cached_property
    def apart(self) -> Apart:
        """Who may not share a cloud VM with whom."""
        return Apart(self.app_vms)

    @cached_property
    def price_per_hour(self) -> float:
        """What is being paid for: every cloud VM that is not gone, starting ones included."""
        return float(sum(c.size.price_per_hour for c in self.cloud_vms if c.state is not CloudVMState.GONE))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What is believed at `at`.

    placement: (app VMs,) row of the cloud VM each runs on as observed, NOWHERE where it runs on none.
    usage: metric -> (app VMs, window), oldest first, NaN where no sample came.
    sampled_at: (app VMs,) time of the newest sample (of the first sight, before any).
    in_flight: ids that a plan being carried out is about.
    reserved_bytes: cloud VM id -> memory kept for app VMs that such a plan is bringing there.
    correction: what measured migrations say about the model of them.
    past: what each service asked for over the last weeks.
    """

    at: float
    inventory: Inventory
    placement: IntArray
    usage: Mapping[str, FloatArray]
    sampled_at: FloatArray
    in_flight: frozenset[str] = frozenset()
    reserved_bytes: Mapping[str, float] = field(default_factory=dict)
    correction: Correction = field(default_factory=Correction)
    past: Past = field(default_factory=Past)

    @property
    def app_vms(self) -> tuple[AppVM, ...]:
        return self.inventory.app_vms

    @property
    def cloud_vms(self) -> tuple[CloudVM, ...]:
        return self.inventory.cloud_vms

    @property
    def services(self) -> tuple[Service, ...]:
        return self.inventory.services

    @property
    def catalogue(self) -> tuple[CloudVMSize, ...]:
        return self.inventory.catalogue

    @cached_property
    def age_s(self) -> FloatArray:
        """Age of each app VM's newest sample."""
        return np.asarray(self.at - self.sampled_at, dtype=np.float64)

    def latest(self, metric: str) -> FloatArray:
        """(app VMs,) newest sample of `metric`, NaN where the last one is missing."""
        return self.usage[metric][:, -1]

    def recent(self, metric: str, samples: int = 1) -> FloatArray:
        """(app VMs,) mean of up to `samples` newest samples that came; NaN where none of them did."""
        window = self.usage[metric][:, -samples:]
        came = ~np.isnan(window)
        count = came.sum(axis=1)
        total = np.where(came, window, 0.0).sum(axis=1)
        return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0), dtype=np.float64)

    def on_cloud_vms(self, values: FloatArray) -> FloatArray:
        """(cloud VMs,) `values` (one per app VM, NaN counts as 0) summed where the app VMs run."""
        rows, clouds = self._placed
        weights = values[rows]
        known = np.where(
            np.isnan(weights), 0.0, weights
        )  # not nan_to_num, which takes three times as long: asked 20 times a tick
        return np.asarray(np.bincount(clouds, weights=known, minlength=len(self.cloud_vms)), dtype=np.float64)

    @cached_property
    def _placed(self) -> tuple[IntArray, IntArray]:
        """Rows of the app VMs that run somewhere, and where."""
        rows = np.flatnonzero(self.placement >= 0)
        return rows, self.placement[rows]

    @cached_property
    def by_cloud_vm(self) -> tuple[IntArray, ...]:
        """For each cloud VM the rows of the app VMs it runs, ascending."""
        order = np.argsort(self.placement, kind="stable")
        edges = np.searchsorted(self.placement[order], np.arange(len(self.cloud_vms) + 1))
        return tuple(order[edges[row] : edges[row + 1]] for row in range(len(self.cloud_vms)))

    @cached_property
    def by_service(self) -> tuple[IntArray, ...]:
        """For each service the rows of its running replicas, ascending."""
        service = np.where(self.placement >= 0, self.inventory.app_service, NOWHERE)
        order = np.argsort(service, kind="stable")
        edges = np.searchsorted(service[order], np.arange(len(self.services) + 1))
        return tuple(order[edges[row] : edges[row + 1]] for row in range(len(self.services)))

    @cached_property
    def memory_in_use_bytes(self) -> FloatArray:
        """(app VMs,) newest known memory in use; the allocation where it was never measured (conservative)."""
        return self._newest_known(MEMORY, self.inventory.app_memory_bytes)

    @cached_property
    def dirtied_most_bytes_per_s(self) -> FloatArray:
        """(app VMs,) the most it was seen to dirty in the window; 0 where that was never measured."""
        if DIRTY not in self.usage:
            return np.zeros(len(self.app_vms))
        return np.asarray(np.fmax.reduce(self.usage[DIRTY], axis=1, initial=0.0), dtype=np.float64)

    @cached_property
    def cpu_in_use_cores(self) -> FloatArray:
        """(app VMs,) newest known CPU usage; the allocation where it was never measured (conservative)."""
        return self._newest_known(CPU, self.inventory.app_cores)

    def _newest_known(self, metric: str, otherwise: FloatArray) -> FloatArray:
        value = self.usage[metric][:, -1].copy()
        for column in range(self.usage[metric].shape[1] - 2, -1, -1):
            missing = np.isnan(value)
            if not missing.any():
                return value
            value[missing] = self.usage[metric][missing, column]
        return np.where(np.isnan(value), otherwise, value)
