"""Which app VMs leave an overloaded cloud VM, and where they go: the quickest migrations that relieve enough.

Separate from `consolidate` because a choice of app VMs (a small covering problem) is not a choice of cloud VMs. What counts as
overloaded may not be decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoscaler.core.migration import predict
from autoscaler.core.model import CloudVMSize
from autoscaler.core.policy import Limits
from autoscaler.core.proposals import Move, Separate
from autoscaler.core.snapshot import DIRTY, NOWHERE, FloatArray, Snapshot
from autoscaler.packing.covering import cheapest_cover
from autoscaler.strategies.reading import app_vms_at_rest
from autoscaler.strategies.room import ROUNDING, Room

LINK_BYTES_PER_S = Limits().migration_bandwidth_bytes_per_s  # only ranks app VMs: any link ranks nearly the same


class Relief:
    """`cpu_cores`: (app VMs,) what each is known to use. Places are taken from `room`."""

    def __init__(self, snapshot: Snapshot, cpu_cores: FloatArray, room: Room) -> None:
        self._snapshot, self._cpu, self._room = snapshot, cpu_cores, room
        self._at_rest = app_vms_at_rest(snapshot)
        dirty = snapshot.usage.get(DIRTY)
        never = np.zeros(len(snapshot.app_vms))
        self._dirty = never if dirty is None else np.nan_to_num(snapshot.recent(DIRTY, dirty.shape[1]))

    def proposals(self, row: int, ceiling_fraction: float) -> Iterator[Separate]:
        """App VMs off the cloud VM of `row`, down to the fill mark; those that fit nowhere go to a new cloud VM together."""
        moves, size = self._placed(self._leaving(row))
        if not moves:
            return
        cloud_vm, cores = self._snapshot.cloud_vms[row], self._snapshot.cloud_vms[row].size.cores
        used = float(self._cpu[self._snapshot.by_cloud_vm[row]].sum())
        left = used - float(sum(self._cpu[app] for app, _ in moves))
        reason = (
            f"{cloud_vm.id} is at {used / cores:.0%} of its CPU, above {ceiling_fraction:.0%}; "
            f"without {len(moves)} of its app VMs it is at {left / cores:.0%}"
        )
        evidence = {
            "cpu_load_fraction": used / cores,
            "cpu_load_after_fraction": left / cores,
            "migration_s": sum(self._seconds(app) for app, _ in moves),
            "price_change_per_hour": size.price_per_hour if size else 0.0,
        }
        named = tuple(Move(self._snapshot.app_vms[app].id, self._name(target)) for app, target in moves)
        yield Separate(cloud_vm.id, named, reason, evidence, size.name if size else None)

    def _leaving(self, row: int) -> list[int]:
        """Never all of them: then there would be nothing to separate."""
        residents = self._snapshot.by_cloud_vm[row]
        excess = (
            float(self._cpu[residents].sum()) - self._room.marks.cpu_fraction * self._snapshot.cloud_vms[row].size.cores
        )
        movable = [
            int(app)
            for app in residents
            if self._at_rest[app] and self._cpu[app] > 0 and not self._snapshot.app_vms[app].pinned_to
        ]
        cpu, seconds = [float(self._cpu[app]) for app in movable], [self._seconds(app) for app in movable]
        chosen = cheapest_cover(cpu, seconds, excess)[: len(residents) - 1]
        return self._room.biggest_first(np.array([movable[i] for i in chosen], dtype=np.int64))

    def _placed(self, leaving: Sequence[int]) -> tuple[list[tuple[int, int]], CloudVMSize | None]:
        """(app VM, cloud VM) rows, NOWHERE for the new cloud VM, and its size where one is needed."""
        moves: list[tuple[int, int]] = []
        together: list[int] = []
        size: CloudVMSize | None = None
        for app in leaving:
            target = self._room.best(app)
            if target == NOWHERE:
                bigger = self._size_for([*together, app])
                if bigger is None:
                    continue
                size = bigger
                together.append(app)
            else:
                self._room.received[target] = True
            self._room.move(app, target)
            moves.append((app, target))
        return moves, size

    def _size_for(self, apps: Sequence[int]) -> CloudVMSize | None:
        """The cheapest size that holds `apps` up to the marks; None where none does, or two of them must stay apart."""
        if not set(self._snapshot.inventory.apart.rivals(apps[-1]).tolist()).isdisjoint(apps):
            return None
        inventory, marks = self._snapshot.inventory, self._room.marks
        rows = np.array(apps, dtype=np.int64)
        cpu, cores = float(self._room.cpu_cores[rows].sum()), float(inventory.app_cores[rows].sum())
        memory = float(inventory.app_memory_bytes[rows].sum())
        holding = [
            size
            for size in self._snapshot.catalogue
            if cpu <= size.cores * marks.cpu_fraction + ROUNDING
            and memory <= size.memory_bytes * marks.memory_fraction + ROUNDING
            and cores <= size.cores * marks.cpu_overcommit + ROUNDING
        ]
        return min(holding, key=lambda size: size.price_per_hour, default=None)

    def _seconds(self, app: int) -> float:
        memory = float(self._snapshot.memory_in_use_bytes[app])
        return predict(memory, float(self._dirty[app]), LINK_BYTES_PER_S).total_s

    def _name(self, row: int) -> str | None:
        return None if row == NOWHERE else self._snapshot.cloud_vms[row].id
