"""The experiment's run: at each decision, measure, let who has finished go, decide, and carry the migrations out.

Separate from the ledger because only what happens at a decision can influence the next one; energy and violations are
worked out afterwards over whole arrays. The decision itself comes in as a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.packing.overload import WINDOW_SAMPLES
from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.selection import Candidates
from autoscaler.sim.cloudsim.demand import Asked
from autoscaler.sim.cloudsim.meter import add_up, loads_of

Moves = list[tuple[int, int]]  # (app VM, host), in the order in which the migrations begin
Decide = Callable[[Hosts, Moment, FloatArray], Moves]  # the array: (samples, apps) past demand, this moment's last


@dataclass(slots=True)
class Diary:
    """What the ledger needs to know of a run: who was where at each decision, what load that gave, who then moved."""

    residents: list[IntArray] = field(default_factory=list)  # per decision, host by host, in order of arrival
    hosts: list[IntArray] = field(default_factory=list)  # per decision, the host of each of these
    load: list[FloatArray] = field(default_factory=list)
    moves: list[Moves] = field(default_factory=list)


def run(hosts: Hosts, asked: Asked, placement: list[int], decide: Decide | None) -> Diary:
    """Carry the day out from `placement` (host of each app VM). `decide` None: nothing ever moves."""
    residents: list[list[int]] = [[] for _ in range(len(hosts))]
    for app, host in enumerate(placement):
        residents[host].append(app)
    diary = Diary()
    for number in range(len(asked.times)):
        moment = _measure(hosts, asked, number, residents, diary)
        window = asked.mips[0][max(0, number + 1 - WINDOW_SAMPLES) : number + 1]
        moves = decide(hosts, moment, window) if decide else []
        diary.moves.append(moves)
        _carry_out(moves, asked, residents, placement)
    return diary


def _measure(hosts: Hosts, asked: Asked, number: int, residents: list[list[int]], diary: Diary) -> Moment:
    """Loads as the meter sees them; then those that ask for nothing are taken for finished and removed."""
    count = np.fromiter(map(len, residents), dtype=np.int64, count=len(hosts))
    where = np.repeat(np.arange(len(hosts)), count)
    apps = np.fromiter(chain.from_iterable(residents), dtype=np.int64, count=len(where))
    demand = asked.mips[0][number]
    wanted = np.minimum(demand[apps], hosts.processor[where])
    allocated = add_up(where, wanted, len(hosts))
    load = loads_of(hosts, _metered(hosts, wanted, where, allocated))
    diary.residents.append(apps)
    diary.hosts.append(where)
    diary.load.append(load)
    for row in np.flatnonzero(wanted == 0).tolist():
        residents[where[row]].remove(apps[row])
        count[where[row]] -= 1
    past = asked.load[max(0, number + 1 - WINDOW_SAMPLES) : number + 1]
    candidates = Candidates(asked.memory, asked.load[number].tolist(), past)
    return Moment(residents, count > 0, demand, load, np.minimum(allocated, hosts.capacity), candidates)


def _metered(hosts: Hosts, wanted: FloatArray, where: IntArray, allocated: FloatArray) -> FloatArray:
    """(hosts,) what is used: where more is wanted than there is, everybody gets the same share, in whole MIPS."""
    over = allocated > hosts.capacity
    if not over.any():
        return allocated
    short = over[where]
    given = np.floor(wanted[short] * (hosts.capacity / np.maximum(allocated, 1.0))[where[short]])
    return np.where(over, add_up(where[short], given, len(hosts)), allocated)


def _carry_out(moves: Moves, asked: Asked, residents: list[list[int]], placement: list[int]) -> None:
    """Migrations end by duration, those of equal duration in the order in which they began."""
    end_of = asked.end_of
    for app, host in sorted(moves, key=lambda move: end_of[move[0]]):
        residents[placement[app]].remove(app)
        residents[host].append(app)
        placement[app] = host
