"""One turn over arrays (pabfd, steady) on a snapshot: what it would move, as proposals.

Separate from the strategies' parameters because this is the translation: cloud VMs and spare ones become hosts, moves become
separate and consolidate. Pins and app VMs that must stay apart are the guards' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from autoscaler.core.model import CloudVMSize
from autoscaler.core.proposals import Consolidate, Move, Proposal, Separate
from autoscaler.core.snapshot import CPU, FloatArray, IntArray, Snapshot
from autoscaler.packing.overload import WINDOW_SAMPLES
from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.power import PowerCurves, curve
from autoscaler.packing.selection import Candidates
from autoscaler.strategies.reading import app_vms_at_rest, cloud_vms_at_rest

SPARES_PER_SIZE = 16  # cloud VMs that may be rented in one turn, of each size

Moves = list[tuple[int, int]]  # (app VM, host)
Decide = Callable[[Hosts, Moment, FloatArray], tuple[Moves, Moves]]  # those that relieve, those that empty


@dataclass(frozen=True, slots=True, eq=False)
class _Park:
    """Hosts of a turn. row: (hosts,) of each one's cloud VM, -1 for a spare; size: (hosts,) its size."""

    row: IntArray
    size: tuple[CloudVMSize, ...]
    hosts: Hosts


def propose(snapshot: Snapshot, memory_overcommit: float, turn: Decide) -> list[Proposal]:
    """Separate what is overloaded, consolidate what is least loaded."""
    park = _park(snapshot)
    if not len(snapshot.app_vms) or not (park.row >= 0).any():
        return []
    moment, window = _moment(snapshot, park, memory_overcommit)
    relief, emptied = turn(park.hosts, moment, window)
    source = {app: host for host, apps in enumerate(moment.residents) for app in apps}
    separates = [_separate(snapshot, park, moment, host, moves) for host, moves in _by_source(relief, source).items()]
    consolidates = [
        _consolidate(snapshot, park, moment, host, moves) for host, moves in _by_source(emptied, source).items()
    ]
    return [*(wish for wish in separates if wish is not None), *consolidates]


def _park(snapshot: Snapshot) -> _Park:
    rows = np.flatnonzero(cloud_vms_at_rest(snapshot))
    sizes = [snapshot.cloud_vms[row].size for row in rows]
    spares = [size for size in snapshot.catalogue for _ in range(SPARES_PER_SIZE)]
    every = (*sizes, *spares)
    kinds = {size: kind for kind, size in enumerate(dict.fromkeys(every))}
    capacity = np.array([size.cores for size in every], dtype=np.float64)
    curves = PowerCurves([curve(size.name, size.cores) for size in kinds])
    kind = np.array([kinds[size] for size in every], dtype=np.int64)
    row = np.concatenate((rows, np.full(len(spares), -1)))
    return _Park(row, every, Hosts(kind, capacity, capacity, curves))


def _moment(snapshot: Snapshot, park: _Park, memory_overcommit: float) -> tuple[Moment, FloatArray]:
    resting = app_vms_at_rest(snapshot)
    here = [snapshot.by_cloud_vm[row] if row >= 0 else np.zeros(0, dtype=np.int64) for row in park.row.tolist()]
    residents = [apps[resting[apps]].tolist() for apps in here]
    demand = snapshot.cpu_in_use_cores
    asked = np.array([demand[apps].sum() for apps in here], dtype=np.float64)
    memory = snapshot.inventory.app_memory_bytes
    taken = np.array([memory[apps].sum() for apps in here], dtype=np.float64)
    offered = np.array([size.memory_bytes for size in park.size], dtype=np.float64) * memory_overcommit
    cores = np.maximum(snapshot.inventory.app_cores, 1e-9)
    window = np.nan_to_num(snapshot.usage[CPU][:, -WINDOW_SAMPLES:]).T
    candidates = Candidates(memory.tolist(), (demand / cores).tolist(), window / cores)
    active = np.array([bool(apps) for apps in residents], dtype=np.bool_)
    load = np.minimum(asked / park.hosts.capacity, 1.0)
    allocated = np.minimum(asked, park.hosts.capacity)
    return Moment(residents, active, demand, load, allocated, candidates, offered - taken, park.row < 0), window


def _by_source(moves: list[tuple[int, int]], source: Mapping[int, int]) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for app, host in moves:
        found.setdefault(source[app], []).append((app, host))
    return found


def _separate(
    snapshot: Snapshot, park: _Park, moment: Moment, host: int, moves: list[tuple[int, int]]
) -> Separate | None:
    """With at most one new cloud VM; what would go to a second one is wished again at the next turn."""
    new = next((target for _, target in moves if park.row[target] < 0), None)
    kept = [(app, target) for app, target in moves if park.row[target] >= 0 or target == new]
    if not kept:
        return None
    cloud_vm = snapshot.cloud_vms[park.row[host]].id
    load = float(moment.load[host])
    return Separate(
        cloud_vm,
        _named(snapshot, park, kept),
        reason=f"{cloud_vm} is overloaded at {100 * load:.0f} % CPU; {len(kept)} app VMs leave to where power rises least",
        evidence={"cpu_load": load, "moves": float(len(kept))},
        new_size=None if new is None else park.size[new].name,
    )


def _consolidate(
    snapshot: Snapshot, park: _Park, moment: Moment, host: int, moves: list[tuple[int, int]]
) -> Consolidate:
    cloud_vm = snapshot.cloud_vms[park.row[host]].id
    load = float(moment.load[host])
    return Consolidate(
        cloud_vm,
        _named(snapshot, park, moves),
        reason=f"{cloud_vm} is among the least loaded at {100 * load:.0f} % CPU; its {len(moves)} app VMs fit elsewhere",
        evidence={"cpu_load": load, "moves": float(len(moves))},
    )


def _named(snapshot: Snapshot, park: _Park, moves: list[tuple[int, int]]) -> tuple[Move, ...]:
    rows = park.row
    return tuple(
        Move(snapshot.app_vms[app].id, snapshot.cloud_vms[rows[target]].id if rows[target] >= 0 else None)
        for app, target in moves
    )
