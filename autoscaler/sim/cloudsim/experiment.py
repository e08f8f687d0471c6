"""The experiment's run: at each decision, measure, let who has finished go, decide, and carry the migrations out.

Separate from the ledger because only what happens at a decision can influence the next one; energy and violations are
worked out afterwards over whole arrays. The decision itself comes in as a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.packing.overload import WINDOW_SAMPLES
from autoscaler.packing.places import Hosts, Moment, Residents
from autoscaler.packing.selection import Candidates
from autoscaler.sim.cloudsim.demand import Asked
from autoscaler.sim.cloudsim.meter import add_up, loads_of

Moves = list[tuple[int, int]]  # (app VM, host), in the order in which they begin
Decide = Callable[[Hosts, Moment, FloatArray], Moves]  # the array: (samples, apps) past demand, this moment's last


@dataclass(slots=True)
class Diary:
    """What the ledger needs to know of a run: who was where at each decision, what load that gave, who then moved."""

    residents: list[IntArray] = field(default_factory=list)  # per decision, host by host, in order of arrival
    hosts: list[IntArray] = field(default_factory=list)  # per decision, the host of each of these
    load: list[FloatArray] = field(default_factory=list)
    moves: list[IntArray] = field(default_factory=list)  # per decision, (moves, 2) app VM and host


def run(hosts: Hosts, asked: Asked, placement: list[int], decide: Decide | None) -> Diary:
    """Carry the day out from `placement` (host of each app VM). `decide` None: nothing ever moves."""
    where = np.array(placement, dtype=np.int64)
    apps = np.argsort(where, kind="stable")
    where = where[apps]
    diary = Diary()
    for number in range(len(asked.times)):
        apps, where, moment = _measure(hosts, asked, number, apps, where, diary)
        window = asked.mips[max(0, number + 1 - WINDOW_SAMPLES) : number + 1]
        moves = np.array(decide(hosts, moment, window) if decide else [], dtype=np.int64).reshape(-1, 2)
        diary.moves.append(moves)
        apps, where = _carry_out(moves, asked, apps, where)
    return diary


def _measure(
    hosts: Hosts, asked: Asked, number: int, apps: IntArray, where: IntArray, diary: Diary
) -> tuple[IntArray, IntArray, Moment]:
    """Loads as the meter sees them; then those that ask for nothing are taken for finished and removed: who is left where."""
    demand = asked.mips[number]
    wanted = np.minimum(demand[apps], hosts.processor[where])
    allocated = add_up(where, wanted, len(hosts))
    load = loads_of(hosts, _metered(hosts, wanted, where, allocated))
    diary.residents.append(apps)
    diary.hosts.append(where)
    diary.load.append(load)
    stays = wanted != 0
    apps, where = apps[stays], where[stays]
    starts = np.searchsorted(where, np.arange(len(hosts) + 1))
    past = asked.load[max(0, number + 1 - WINDOW_SAMPLES) : number + 1]
    candidates = Candidates(asked.memory, asked.load[number], past)
    active = np.diff(starts) > 0
    moment = Moment(Residents(apps, starts), active, demand, load, np.minimum(allocated, hosts.capacity), candidates)
    return apps, where, moment


def _metered(hosts: Hosts, wanted: FloatArray, where: IntArray, allocated: FloatArray) -> FloatArray:
    """(hosts,) what is used: where more is wanted than there is, everybody gets the same share, in whole MIPS."""
    over = allocated > hosts.capacity
    if not over.any():
        return allocated
    short = over[where]
    given = np.floor(wanted[short] * (hosts.capacity / np.maximum(allocated, 1.0))[where[short]])
    return np.where(over, add_up(where[short], given, len(hosts)), allocated)


def _carry_out(moves: IntArray, asked: Asked, apps: IntArray, where: IntArray) -> tuple[IntArray, IntArray]:
    """Migrations end by duration, those of equal duration in the order in which they began; who moves twice ends where the
    second one leads. Who arrives comes after those that are there."""
    moves = moves[np.argsort(asked.duration[moves[:, 0]], kind="stable")]
    last = np.full(len(asked.duration), -1)
    last[moves[:, 0]] = np.arange(len(moves))
    moves = moves[last[moves[:, 0]] == np.arange(len(moves))]
    stays = last[apps] < 0
    apps, where = np.concatenate((apps[stays], moves[:, 0])), np.concatenate((where[stays], moves[:, 1]))
    order = np.argsort(where, kind="stable")
    return apps[order], where[order]
