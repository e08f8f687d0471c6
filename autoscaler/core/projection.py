"""What the cluster would look like after everything granted so far in this decision: the one mutable working copy.

Made from a snapshot plus what plans in flight are bringing; `apply` adds one effect. Guards read it, so that the second
grant of a tick sees the first. CPU and memory are counted by usage and by allocation; a sample that never came counts as
the full allocation (conservative).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from autoscaler.core.effect import Arrival, Effect
from autoscaler.core.model import AppVM, CloudVM
from autoscaler.core.snapshot import NOWHERE, FloatArray, Snapshot


class Projection:
    """Arrays over cloud VMs (rows of the snapshot first, then those created), grown by `apply`.

    `arriving`: app VMs on their way that are not observed there yet; they take room, and are neighbours, at both ends.
    `closed`: ids of cloud VMs that take no newcomers though they are active (paused, stuck, worked on by a plan).
    """

    def __init__(self, snapshot: Snapshot, arriving: Sequence[Arrival] = (), closed: Iterable[str] = ()) -> None:
        inventory = snapshot.inventory
        self.snapshot = snapshot
        self.cloud_vms: list[CloudVM] = list(inventory.cloud_vms)
        self.row_of: dict[str, int] = dict(inventory.cloud_row)
        self.cores = inventory.cloud_cores.copy()
        self.memory_bytes = inventory.cloud_memory_bytes.copy()
        self.usable = inventory.cloud_active.copy()
        self.cpu_used = snapshot.on_cloud_vms(snapshot.cpu_in_use_cores)
        self.cpu_allocated = snapshot.on_cloud_vms(inventory.app_cores)
        self.memory_used_bytes = snapshot.on_cloud_vms(snapshot.memory_in_use_bytes)
        self.memory_allocated_bytes = snapshot.on_cloud_vms(inventory.app_memory_bytes)
        self.replicas: dict[str, int] = {
            service.id: len(rows) for service, rows in zip(inventory.services, snapshot.by_service, strict=True)
        }
        self.released: set[str] = set()
        self._came: dict[int, list[AppVM]] = {}
        self._coming: dict[int, list[AppVM]] = {}
        self._moved: dict[str, int] = {}  # app VM id -> row it is on by now, where that is not the observed one
        for cloud_vm in closed:
            if cloud_vm in self.row_of:
                self.usable[self.row_of[cloud_vm]] = False
        for arrival in arriving:
            if arrival.cloud_vm in self.row_of:
                self._expect(self.row_of[arrival.cloud_vm], arrival.app_vm)

    def copy(self) -> Projection:
        """An independent working copy."""
        twin = object.__new__(Projection)
        twin.__dict__ |= {name: _copied(value) for name, value in self.__dict__.items()}
        return twin

    def apply(self, effect: Effect) -> None:
        """Count `effect` as done."""
        for cloud_vm in effect.creates:
            self._create(cloud_vm)
        for arrival in effect.starts:
            self._arrive(self.row_of[arrival.cloud_vm], arrival.app_vm, *self._needs(arrival.app_vm))
            self._count(arrival.app_vm.service, 1)
        for stopped in effect.stops:
            self._leave(stopped, NOWHERE)
            self._count(self.snapshot.app_vms[self.snapshot.inventory.app_row[stopped]].service, -1)
        for move in effect.moves:
            app_vm = self.snapshot.app_vms[self.snapshot.inventory.app_row[move.app_vm]]
            self._leave(move.app_vm, self.row_of[move.target])
            self._arrive(self.row_of[move.target], app_vm, *self._needs(app_vm))
        for released in effect.releases:
            self.released.add(released)
            self.usable[self.row_of[released]] = False

    def place(self, app_vm: str) -> int:
        """Row of the cloud VM that it is on after what was granted; NOWHERE where it is on none."""
        app_row = self.snapshot.inventory.app_row[app_vm]
        return self._moved.get(app_vm, int(self.snapshot.placement[app_row]))

    def expected_cpu(self, app_vm: AppVM) -> float:
        """Cores a new replica of `app_vm`'s service will use: the mean of those that run, its allocation if none does."""
        index = self.snapshot.inventory.service_index.get(app_vm.service)
        rows = self.snapshot.by_service[index] if index is not None else np.zeros(0, dtype=np.int64)
        return float(self.snapshot.cpu_in_use_cores[rows].mean()) if len(rows) else app_vm.cores

    def residents(self, row: int) -> list[AppVM]:
        """App VMs on the cloud VM of `row`, after what was granted."""
        if row < len(self.snapshot.cloud_vms):
            seen = (self.snapshot.app_vms[app_row] for app_row in self.snapshot.by_cloud_vm[row])
            stayed = [app_vm for app_vm in seen if app_vm.id not in self._moved]
        else:
            stayed = []
        return stayed + self._came.get(row, [])

    def neighbours(self, row: int) -> list[AppVM]:
        """Whom a newcomer would meet there: the residents, and those whom plans in flight are bringing."""
        return self.residents(row) + self._coming.get(row, [])

    def load(self) -> FloatArray:
        """(cloud VMs,) CPU used as a share of cores."""
        return np.asarray(self.cpu_used / self.cores, dtype=np.float64)

    def _create(self, cloud_vm: CloudVM) -> None:
        self.row_of[cloud_vm.id] = len(self.cloud_vms)
        self.cloud_vms.append(cloud_vm)
        self.cores = np.append(self.cores, cloud_vm.size.cores)
        self.memory_bytes = np.append(self.memory_bytes, float(cloud_vm.size.memory_bytes))
        self.usable = np.append(self.usable, True)
        for name in ("cpu_used", "cpu_allocated", "memory_used_bytes", "memory_allocated_bytes"):
            setattr(self, name, np.append(getattr(self, name), 0.0))

    def _needs(self, app_vm: AppVM) -> tuple[float, float]:
        """Cores and bytes it uses, or a newcomer is expected to use."""
        app_row = self.snapshot.inventory.app_row.get(app_vm.id)
        if app_row is None:
            return self.expected_cpu(app_vm), float(app_vm.memory_bytes)
        return float(self.snapshot.cpu_in_use_cores[app_row]), float(self.snapshot.memory_in_use_bytes[app_row])

    def _expect(self, row: int, app_vm: AppVM) -> None:
        self._take(row, app_vm, self._needs(app_vm)[0], float(app_vm.memory_bytes))
        self._coming.setdefault(row, []).append(app_vm)

    def _arrive(self, row: int, app_vm: AppVM, cpu_cores: float, memory_bytes: float) -> None:
        self._take(row, app_vm, cpu_cores, memory_bytes)
        self._came.setdefault(row, []).append(app_vm)

    def _take(self, row: int, app_vm: AppVM, cpu_cores: float, memory_bytes: float, sign: int = 1) -> None:
        self.cpu_used[row] += sign * cpu_cores
        self.cpu_allocated[row] += sign * app_vm.cores
        self.memory_used_bytes[row] += sign * memory_bytes
        self.memory_allocated_bytes[row] += sign * app_vm.memory_bytes

    def _leave(self, app_vm: str, to: int) -> None:
        row, leaving = self.place(app_vm), self.snapshot.app_vms[self.snapshot.inventory.app_row[app_vm]]
        self._moved[app_vm] = to
        if row != NOWHERE:
            self._take(row, leaving, *self._needs(leaving), sign=-1)
            if row in self._came:
                self._came[row] = [other for other in self._came[row] if other.id != app_vm]

    def _count(self, service: str, change: int) -> None:
        if service in self.replicas:
            self.replicas[service] += change


def _copied(value: object) -> object:
    if isinstance(value, np.ndarray | set):
        return value.copy()
    if isinstance(value, list):
        return list(value)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value
