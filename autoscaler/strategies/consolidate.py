"""Pack app VMs into fewer cloud VMs where load is low, and spread them where it is high.

Overload: of the app VMs that may leave, those that together take the least time to migrate and relieve enough. Underload: the
least loaded cloud VM first, emptied only where every one of its app VMs fits elsewhere. Both place by best fit, the biggest
first, by CPU and memory. (After Beloglazov and Buyya, Concurrency and Computation 24(13), 2012.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.proposals import Consolidate, Move, Proposal
from autoscaler.core.snapshot import CPU, BoolArray, FloatArray, Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import Statistic, count, fraction, ratio
from autoscaler.strategies.reading import believed, cloud_vms_at_rest, measured
from autoscaler.strategies.relief import Relief
from autoscaler.strategies.room import Marks, Room


@dataclass(frozen=True)
class Consolidation:
    """Relieve overloaded cloud VMs by the quickest migrations that suffice; empty the least loaded where all fits elsewhere."""

    cpu_ceiling_fraction: float = fraction(0.8, "CPU load above which a cloud VM is overloaded and app VMs leave it")
    cpu_floor_fraction: float = fraction(0.5, "CPU load below which a cloud VM is underloaded and may be emptied")
    cpu_fill_fraction: float = fraction(
        0.7, "CPU load up to which a cloud VM is filled, and to which an overloaded one is relieved"
    )
    memory_fill_fraction: float = fraction(0.95, "share of its memory up to which a cloud VM is filled (by allocation)")
    samples: int = count(3, parameters.SAMPLES_DOC)
    statistic: Statistic = field(default="mean", metadata={"doc": parameters.STATISTIC_DOC})
    cpu_overcommit: float = ratio(4.0, parameters.OVERCOMMIT_DOC)

    def __post_init__(self) -> None:
        if self.cpu_fill_fraction >= self.cpu_ceiling_fraction:
            raise ValueError(
                f"cpu_fill {self.cpu_fill_fraction:.0%} must be below cpu_ceiling {self.cpu_ceiling_fraction:.0%}: "
                "what was just filled would be overloaded"
            )

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        recent = believed(snapshot, CPU, self.samples, self.statistic)
        marks = Marks(self.cpu_fill_fraction, self.memory_fill_fraction, self.cpu_overcommit)
        # who receives must hold the newest use as well as the usual one
        room = Room(snapshot, np.maximum(recent, snapshot.cpu_in_use_cores), marks)
        at_rest = cloud_vms_at_rest(snapshot)
        known = np.where(measured(snapshot, CPU), recent, 0.0)
        load = snapshot.on_cloud_vms(known) / snapshot.inventory.cloud_cores
        over = snapshot.inventory.cloud_active & (load > self.cpu_ceiling_fraction)
        room.open &= ~over
        usual = snapshot.on_cloud_vms(recent) / snapshot.inventory.cloud_cores
        under = at_rest & (usual < self.cpu_floor_fraction) & ~_pinned(snapshot)
        room.last[under] = True
        relief, proposals = Relief(snapshot, known, room), list[Proposal]()
        for row in _ascending(-load, over & at_rest):
            proposals += relief.proposals(row, self.cpu_ceiling_fraction)
        proposals += self._drains(snapshot, room, under, usual)
        return proposals

    def _drains(self, snapshot: Snapshot, room: Room, under: BoolArray, load: FloatArray) -> Iterator[Proposal]:
        inventory = snapshot.inventory
        memory_load = snapshot.on_cloud_vms(inventory.app_memory_bytes) / inventory.cloud_memory_bytes
        for row in _ascending(np.maximum(load, memory_load), under):
            moves = None if room.received[row] else room.elsewhere(row, snapshot.by_cloud_vm[row])
            if moves is not None:
                yield self._emptied(snapshot, row, moves, float(load[row]))

    def _emptied(self, snapshot: Snapshot, row: int, moves: Sequence[tuple[int, int]], load: float) -> Consolidate:
        cloud_vm = snapshot.cloud_vms[row]
        reason = f"{cloud_vm.id} is empty"
        if moves:
            reason = (
                f"{cloud_vm.id} is at {load:.0%} of its CPU, below {self.cpu_floor_fraction:.0%}, and all it runs "
                f"({len(moves)}) fits elsewhere below {self.cpu_fill_fraction:.0%}"
            )
        memory = float(sum(snapshot.memory_in_use_bytes[app] for app, _ in moves))
        evidence = {
            "cpu_load_fraction": load,
            "moved_bytes": memory,
            "price_change_per_hour": -cloud_vm.size.price_per_hour,
        }
        targets = tuple(Move(snapshot.app_vms[app].id, snapshot.cloud_vms[target].id) for app, target in moves)
        return Consolidate(cloud_vm.id, targets, reason, evidence)


def _pinned(snapshot: Snapshot) -> BoolArray:
    """(cloud VMs,) whether somebody is pinned to where it runs, so that it cannot be emptied."""
    stays = np.array([app_vm.pinned_to != "" for app_vm in snapshot.app_vms], dtype=np.float64)
    return np.asarray(snapshot.on_cloud_vms(stays) > 0, dtype=np.bool_)


def _ascending(key: FloatArray, among: BoolArray) -> list[int]:
    """Rows of `among` by `key`, ties by row."""
    rows = np.flatnonzero(among)
    return [int(row) for row in rows[np.argsort(key[rows], kind="stable")]]
