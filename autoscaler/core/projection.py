"""What the cluster would look like after everything granted so far in this decision: the one mutable working copy.

Made from a snapshot plus what plans in flight are bringing; `apply` adds one effect. Guards read it, so that the second
grant of a tick sees the first, and `Ahead`, which is what one effect more would change and costs what it touches. CPU and memory are counted by usage and by allocation; a sample that never came counts as
the full allocation (conservative).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.effect import Arrival, Effect
from autoscaler.core.model import AppVM, CloudVM
from autoscaler.core.snapshot import NOWHERE, FloatArray, Snapshot


@dataclass(slots=True)
class Load:
    """What stands against one cloud VM: by usage and by allocation."""

    cpu_used: float = 0.0
    cpu_allocated: float = 0.0
    memory_used_bytes: float = 0.0
    memory_allocated_bytes: float = 0.0

    def add(self, app_vm: AppVM, cpu_cores: float, memory_bytes: float, sign: int = 1) -> None:
        self.cpu_used += sign * cpu_cores
        self.cpu_allocated += sign * app_vm.cores
        self.memory_used_bytes += sign * memory_bytes
        self.memory_allocated_bytes += sign * app_vm.memory_bytes


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

    def apply(self, effect: Effect) -> None:
        """Count `effect` as done."""
        self.adopt(Ahead(self, effect))

    def adopt(self, ahead: Ahead) -> None:
        """Let what was looked at become what is; `ahead` must have been made of this projection as it is now."""
        effect = ahead.effect
        for cloud_vm in effect.creates:
            self._create(cloud_vm)
        for row, load in ahead.loads.items():
            self.cpu_used[row], self.cpu_allocated[row] = load.cpu_used, load.cpu_allocated
            self.memory_used_bytes[row] = load.memory_used_bytes
            self.memory_allocated_bytes[row] = load.memory_allocated_bytes
        for app_vm, row in ahead.came:
            self._came.setdefault(row, []).append(app_vm)
        for name, row, to in ahead.left:
            self._moved[name] = to
            if row in self._came:
                self._came[row] = [other for other in self._came[row] if other.id != name]
        for arrival in effect.starts:
            self._count(arrival.app_vm.service, 1)
        for stopped in effect.stops:
            self._count(self.snapshot.app_vms[self.snapshot.inventory.app_row[stopped]].service, -1)
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

    def needs(self, app_vm: AppVM) -> tuple[float, float]:
        """Cores and bytes it uses, or a newcomer is expected to use."""
        app_row = self.snapshot.inventory.app_row.get(app_vm.id)
        if app_row is None:
            return self.expected_cpu(app_vm), float(app_vm.memory_bytes)
        return float(self.snapshot.cpu_in_use_cores[app_row]), float(self.snapshot.memory_in_use_bytes[app_row])

    def load_of(self, row: int) -> Load:
        """A copy of what stands against the cloud VM of `row`; one that does not exist yet has none."""
        if row >= len(self.cloud_vms):
            return Load()
        return Load(
            float(self.cpu_used[row]),
            float(self.cpu_allocated[row]),
            float(self.memory_used_bytes[row]),
            float(self.memory_allocated_bytes[row]),
        )

    def _expect(self, row: int, app_vm: AppVM) -> None:
        self.cpu_used[row] += self.needs(app_vm)[0]
        self.cpu_allocated[row] += app_vm.cores
        self.memory_used_bytes[row] += app_vm.memory_bytes
        self.memory_allocated_bytes[row] += app_vm.memory_bytes
        self._coming.setdefault(row, []).append(app_vm)

    def _count(self, service: str, change: int) -> None:
        if service in self.replicas:
            self.replicas[service] += change


class Ahead:
    """The cloud VMs that `effect` concerns as they would be after it: `loads` by row. `view` stays as it is.

    `came`: app VMs with the row they would be on; `left`: (id, row it would leave, row it would be on or NOWHERE).
    """

    def __init__(self, view: Projection, effect: Effect) -> None:
        self.effect = effect
        self.loads: dict[int, Load] = {}
        self.came: list[tuple[AppVM, int]] = []
        self.left: list[tuple[str, int, int]] = []
        self._view = view
        self._places: dict[str, int] = {}
        self._created = {c.id: len(view.cloud_vms) + n for n, c in enumerate(effect.creates)}
        for arrival in effect.starts:
            self._arrive(self._row(arrival.cloud_vm), arrival.app_vm)
        for stopped in effect.stops:
            self._leave(stopped, NOWHERE)
        for move in effect.moves:
            target = self._row(move.target)
            self._arrive(target, self._leave(move.app_vm, target))

    def cloud_vm(self, cloud_vm: str) -> CloudVM:
        row = self._row(cloud_vm)
        known = self._view.cloud_vms
        return known[row] if row < len(known) else self.effect.creates[row - len(known)]

    def load(self, cloud_vm: str) -> Load:
        row = self._row(cloud_vm)
        return self.loads[row] if row in self.loads else self._view.load_of(row)

    def released(self, cloud_vm: str) -> bool:
        return cloud_vm in self._view.released or cloud_vm in self.effect.releases

    def usable(self, cloud_vm: str) -> bool:
        """Whether it takes newcomers: one that is created does, one that is released does not."""
        if cloud_vm in self._created:
            return cloud_vm not in self.effect.releases
        return bool(self._view.usable[self._row(cloud_vm)]) and not self.released(cloud_vm)

    def _row(self, cloud_vm: str) -> int:
        return self._created[cloud_vm] if cloud_vm in self._created else self._view.row_of[cloud_vm]

    def _arrive(self, row: int, app_vm: AppVM) -> None:
        self._written(row).add(app_vm, *self._view.needs(app_vm))
        self.came.append((app_vm, row))

    def _leave(self, name: str, to: int) -> AppVM:
        app_vm = self._view.snapshot.app_vms[self._view.snapshot.inventory.app_row[name]]
        row = self._places[name] if name in self._places else self._view.place(name)
        self._places[name] = to
        if row != NOWHERE:
            self._written(row).add(app_vm, *self._view.needs(app_vm), sign=-1)
        self.left.append((name, row, to))
        return app_vm

    def _written(self, row: int) -> Load:
        if row not in self.loads:
            self.loads[row] = self._view.load_of(row)
        return self.loads[row]
