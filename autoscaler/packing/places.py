"""The hosts that take part in a turn, and what is put on them while it is worked out.

Separate from pabfd, which says in what order things are tried, because this is bookkeeping: power, room and limits of every
host, kept up to date one app VM at a time. A *host* stands for a cloud VM. No order of anything may be decided here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.packing.overload import Judge
from autoscaler.packing.power import PowerCurves
from autoscaler.packing.selection import Candidates

ROUNDING_W = 1e-9
NOBODY = -1.0  # room of a host that takes nobody: no demand is that small


@dataclass(frozen=True, slots=True, eq=False)
class Hosts:
    """What never changes. kind: row of the power curves; capacity: of all its processors; processor: of one of them, the
    most that one app VM can use. All (hosts,)."""

    kind: IntArray
    capacity: FloatArray
    processor: FloatArray
    curves: PowerCurves

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class Residents(Sequence[list[int]]):
    """Per host its app VMs, in order of arrival, kept flat: those of host h are apps[starts[h]:starts[h + 1]]."""

    apps: IntArray
    starts: IntArray

    @staticmethod
    def of(residents: Sequence[Sequence[int]]) -> Residents:
        """From one list per host."""
        if isinstance(residents, Residents):
            return residents
        apps, host = flat(residents)
        return Residents(apps, np.searchsorted(host, np.arange(len(residents) + 1)))

    @overload
    def __getitem__(self, host: int) -> list[int]: ...
    @overload
    def __getitem__(self, host: slice) -> list[list[int]]: ...
    def __getitem__(self, host: int | slice) -> list[int] | list[list[int]]:
        if isinstance(host, slice):
            return [self[one] for one in range(*host.indices(len(self)))]
        apps: list[int] = self.apps[self.starts[host] : self.starts[host + 1]].tolist()
        return apps

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(slots=True, eq=False)
class Moment:
    """What one turn looks at. residents: per host its app VMs, in order of arrival; active: (hosts,) whether it has any.
    demand: (apps,). load: (hosts,) share of capacity in use, as the power meter last saw it. allocated: (hosts,) of capacity."""

    residents: Sequence[Sequence[int]]
    active: BoolArray
    demand: FloatArray
    load: FloatArray
    allocated: FloatArray
    candidates: Candidates
    memory_free: FloatArray | None = None  # (hosts,) None: memory does not count
    off: BoolArray | None = None  # (hosts,) draw nothing until they are used; None: all draw at least their idle power


class Places:
    """The hosts that take part in a turn, one column each by ascending host, and what is put on them.

    What changes is kept in lists, because it changes one at a time; `consider` works it out over whole arrays.
    """

    def __init__(self, hosts: Hosts, moment: Moment, judge: Judge, columns: IntArray) -> None:
        self._judge, self._curves = judge, hosts.curves
        self._hosts: list[int] = columns.tolist()
        self._demand = moment.demand
        self._demands: list[float] = moment.demand.tolist()
        self._kind, self._capacity = hosts.kind[columns], hosts.capacity[columns]
        self.load = moment.load[columns]
        self._reference_w = self._curves.draw(self._kind, self.load)
        if moment.off is not None:
            self._reference_w[moment.off[columns]] = 0.0
        self._kinds: list[int] = self._kind.tolist()
        self._capacities: list[float] = self._capacity.tolist()
        self._processors: list[float] = hosts.processor[columns].tolist()
        self._reference_ws: list[float] = self._reference_w.tolist()
        self._allocated: list[float] = moment.allocated[columns].tolist()
        self._begun = self._allocated[:]
        free = self._capacity - moment.allocated[columns]
        self._room: list[float] = np.minimum(free, hosts.processor[columns]).tolist()
        self._least_rise = float((hosts.curves.least_rise[self._kind] / self._capacity).min(initial=math.inf))
        self.guests: list[list[int]] = [[] for _ in self._hosts]
        self.chosen: set[int] = set()  # columns that an emptied host's app VMs go to
        self._memory_of = np.asarray(moment.candidates.memory, dtype=np.float64)
        self._memory_free: list[float] | None = None
        if moment.memory_free is not None:
            self._memory_free = moment.memory_free[columns].tolist()
        apps, column = flat_on(moment.residents, columns)
        judge.sum_up(apps, column, self._capacity)
        self.consider([])

    def host(self, column: int) -> int:
        return self._hosts[column]

    def close(self, columns: IntArray | int) -> None:
        """These take nobody from now on."""
        self._rise_w[:, columns] = math.inf
        for column in np.atleast_1d(columns).tolist():
            self._room[column] = NOBODY

    def settle(self) -> None:
        """Hosts with guests are not emptied."""
        self.chosen.update(column for column, guests in enumerate(self.guests) if guests)

    def is_closed(self, column: int) -> bool:
        return self._room[column] == NOBODY

    def consider(self, apps: list[int]) -> None:
        """Work out the rise in power of each of `apps` in each column; `best` is asked for one after the other."""
        rows = np.array(apps, dtype=np.int64)
        demand, allocated = self._demand[rows, None], np.array(self._allocated)
        rise_w = self._curves.draw(self._kind, np.minimum((allocated + demand) / self._capacity, 1.0))
        rise_w -= self._reference_w
        refused = self._judge.refused(rows)
        if refused is not None:
            rise_w[refused & (allocated != 0)] = math.inf
        rise_w[demand > np.array(self._room)] = math.inf
        self._lazy = refused is None
        if self._memory_free is not None:
            rise_w[self._memory_of[rows, None] > np.array(self._memory_free)] = math.inf
        self._rise_w, self._touched = rise_w, dict[int, float]()

    def best(self, row: int, app: int) -> int | None:
        """The column where power rises least; the first of equals. None where it fits nowhere."""
        rises = self._rise_w[row]
        column = int(rises.argmin())
        best_w = float(rises[column])
        while self._lazy and best_w < math.inf and self._overloads(app, column):
            rises[column] = math.inf
            column = int(rises.argmin())
            best_w = float(rises[column])
        margin_w = self._least_rise * self._demands[app] - ROUNDING_W
        for other, least_w in self._touched.items():
            if least_w + margin_w > best_w:
                continue
            rise_w = self._rise(app, other)
            if rise_w < best_w or (rise_w == best_w and other < column):
                column, best_w = other, rise_w
        return column if best_w < math.inf else None

    def put(self, app: int, column: int) -> None:
        self._judge.add(app, column)
        self.guests[column].append(app)
        self._change(column, self._allocated[column] + self._demands[app])
        if self._memory_free is not None:
            self._memory_free[column] -= float(self._memory_of[app])

    def take_back(self, columns: Sequence[int]) -> None:
        """Undo the last calls of `put`, which were about these columns."""
        for column in columns:
            app = self.guests[column].pop()
            if self._memory_free is not None:
                self._memory_free[column] += float(self._memory_of[app])
            self._judge.reset(column)
            allocated = self._begun[column]
            for app in self.guests[column]:
                self._judge.add(app, column)
                allocated += self._demands[app]
            self._change(column, allocated)

    def _change(self, column: int, allocated: float) -> None:
        capacity = self._capacities[column]
        self._allocated[column] = allocated
        self._room[column] = min(capacity - allocated, self._processors[column])
        self._rise_w[:, column] = math.inf
        # Power never falls with load: whoever comes next raises it at least this far above the reference.
        self._touched[column] = self._curves.of(self._kinds[column], allocated / capacity) - self._reference_ws[column]

    def _overloads(self, app: int, column: int) -> bool:
        return self._allocated[column] != 0 and self._judge.refuses(app, column)

    def _rise(self, app: int, column: int) -> float:
        demand = self._demands[app]
        if demand > self._room[column] or self._overloads(app, column):
            return math.inf
        if self._memory_free is not None and self._memory_of[app] > self._memory_free[column]:
            return math.inf
        load = (self._allocated[column] + demand) / self._capacities[column]
        return self._curves.of(self._kinds[column], load) - self._reference_ws[column]


def flat_on(residents: Sequence[Sequence[int]], hosts: IntArray) -> tuple[IntArray, IntArray]:
    """As `flat`, of `hosts` only, which ascend."""
    if isinstance(residents, Residents):
        count = np.diff(residents.starts)[hosts]
        if count.sum() == len(residents.apps):  # nobody is elsewhere
            return residents.apps, np.repeat(np.arange(len(hosts)), count)
    return flat([residents[host] for host in hosts.tolist()])


def flat(residents: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """(app VMs,) all of them host by host in order of arrival, and the position of each one's host in `residents`."""
    count = np.fromiter(map(len, residents), dtype=np.int64, count=len(residents))
    apps = np.fromiter(chain.from_iterable(residents), dtype=np.int64, count=int(count.sum()))
    return apps, np.repeat(np.arange(len(residents)), count)
