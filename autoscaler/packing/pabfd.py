"""Power-aware best fit decreasing: one turn of the PlanetLab experiment's consolidation, over arrays.

Relieve overloaded hosts, then empty the least loaded ones, each app VM going where power rises least. Separate from the
detectors (overload) and from any clock: one turn sees one instant. Definitions: Beloglazov & Buyya, CCPE 24(13), 2012, as
run by CloudSim 3.0.3, including that the power a host draws is not updated within a turn, and that hosts which have just
received app VMs may be emptied again. Nothing of time, energy or trace files may be here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray
from autoscaler.packing import quick
from autoscaler.packing.overload import FALLBACK_FRACTION, Judge, ScoreJudge
from autoscaler.packing.places import NOBODY, Hosts, Moment, Places, Residents, flat_on
from autoscaler.packing.selection import Select

AT_ONCE = 6  # hosts whose app VMs are worked out together; more wastes what is never asked for


class Turn:
    """One turn. `moves()` gives (app VM, host) in the order in which the migrations begin; it may be called once.

    `settled`: hosts that relief has just filled are not emptied in the same turn (CloudSim does that). `quickly`: as machine
    code where that is possible; the moves are the same.
    """

    def __init__(
        self, hosts: Hosts, moment: Moment, judge: Judge, select: Select, *, settled: bool = False, quickly: bool = True
    ) -> None:
        self._hosts, self._moment, self._judge, self._select = hosts, moment, judge, select
        self._settled = settled
        self._quick = quickly and quick.HERE and moment.memory_free is None and moment.off is None and not settled

    def moves(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Those that relieve, and those that empty."""
        key = self._moment.candidates.key(self._select)
        if self._quick and isinstance(self._judge, ScoreJudge) and key is not None:
            return self._quickly(self._judge, np.asarray(key, dtype=np.float64))
        self._demands: list[float] = self._moment.demand.tolist()
        over = self._overloaded()
        leaving = [app for host in np.flatnonzero(over).tolist() for app in self._leaving(host)]
        columns = np.flatnonzero(self._moment.active | self._spares(len(leaving)))
        places = Places(self._hosts, self._moment, self._judge, columns)
        places.close(np.flatnonzero(over[columns]))
        relief = self._relieve(places, self._decreasing(leaving))
        places.close(np.flatnonzero(~self._moment.active[columns]))
        if self._settled:
            places.settle()
        return relief, self._empty_underloaded(places)

    def _quickly(self, judge: ScoreJudge, key: FloatArray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The same as machine code."""
        hosts, moment, curves = self._hosts, self._moment, self._hosts.curves
        full = np.flatnonzero(moment.active)
        residents = Residents.of(moment.residents)
        starts, capacity = np.append(residents.starts[full], len(residents.apps)), hosts.capacity[full]
        column = np.repeat(np.arange(len(full)), np.diff(starts))
        known, left, spare = judge.sums(residents.apps, column, capacity)
        over = np.where(known, left < 0, spare < 0)
        apps: FloatArray = np.column_stack((judge.demand, judge.score, judge.known, key))
        limits = np.column_stack((judge.limit(capacity), capacity * FALLBACK_FRACTION))
        leaving = quick.leaving(np.flatnonzero(over), residents.apps, starts, apps, limits[over])

        columns = np.flatnonzero(moment.active | self._spares(len(leaving)))
        position = np.searchsorted(columns, full)
        kind, capacity, load = hosts.kind[columns], hosts.capacity[columns], moment.load[columns]
        allocated, processor = moment.allocated[columns], hosts.processor[columns]
        room = np.minimum(capacity - allocated, processor)
        room[position[over]] = NOBODY
        limited = np.zeros((3, len(columns)))
        limited[:, position] = left, spare, known
        table = np.array((allocated, room, *limited, capacity, processor, curves.draw(kind, load)))
        order = np.argsort(load, kind="stable")
        relief, count, moves = quick.turn(
            table,
            kind * curves.stride,
            apps,
            curves.table,
            leaving[np.argsort(-judge.demand[leaving], kind="stable")],
            residents.apps,
            residents.starts[np.append(columns, len(hosts))],
            order[(load[order] > 0) & (load[order] < 1)],
            moment.active[columns],
        )
        made = list(zip(moves[:count, 0].tolist(), columns[moves[:count, 1]].tolist(), strict=True))
        return made[:relief], made[relief:]

    def _overloaded(self) -> BoolArray:
        """(hosts,)"""
        over = np.zeros(len(self._hosts), dtype=np.bool_)
        active = np.flatnonzero(self._moment.active)
        apps, column = flat_on(self._moment.residents, active)
        over[active] = self._judge.sum_up(apps, column, self._hosts.capacity[active])
        return over

    def _decreasing(self, apps: Sequence[int]) -> list[int]:
        return sorted(apps, key=self._demands.__getitem__, reverse=True)

    def _leaving(self, host: int) -> Iterator[int]:
        """Who has to go until the host is not overloaded any more."""
        left = list(self._moment.residents[host])
        while left:
            app = self._select(self._moment.candidates, left)
            left.remove(app)
            yield app
            if not self._judge.without(left, float(self._hosts.capacity[host])):
                return

    def _spares(self, most: int) -> BoolArray:
        """(hosts,) the first empty hosts of each kind, as many as could be needed."""
        spare = np.zeros(len(self._hosts), dtype=np.bool_)
        if most:
            empty = np.flatnonzero(~self._moment.active)
            for kind in range(len(self._hosts.curves.watts)):
                spare[empty[self._hosts.kind[empty] == kind][:most]] = True
        return spare

    def _relieve(self, places: Places, apps: list[int]) -> list[tuple[int, int]]:
        """Place each where power rises least, on an empty host if need be; who fits nowhere stays."""
        moves = []
        places.consider(apps)
        for row, app in enumerate(apps):
            column = places.best(row, app)
            if column is not None:
                places.put(app, column)
                moves.append((app, places.host(column)))
        return moves

    def _empty_underloaded(self, places: Places) -> list[tuple[int, int]]:
        """From the least loaded host on: all its app VMs, guests of this turn included, go elsewhere, or none does."""
        moves: list[tuple[int, int]] = []
        order = np.argsort(places.load, kind="stable")
        waiting = order[(places.load[order] > 0) & (places.load[order] < 1)].tolist()
        while waiting:
            for column, row, apps in self._next_few(places, waiting):
                if column not in places.chosen:
                    places.close(column)
                    moves += self._move_all(places, row, apps)
        return moves

    def _next_few(self, places: Places, waiting: list[int]) -> list[tuple[int, int, list[int]]]:
        """The next hosts to be emptied: column, first row of what was worked out, app VMs. Working out several at once is
        quicker; who is chosen as a target meanwhile is passed over, and nobody else's app VMs change."""
        few: list[tuple[int, int, list[int]]] = []
        rows: list[int] = []
        while waiting and len(few) < AT_ONCE:
            column = waiting.pop(0)
            if not places.is_closed(column) and column not in places.chosen:
                residents = self._moment.residents[places.host(column)]
                apps = self._decreasing((*residents, *places.guests[column]))
                few.append((column, len(rows), apps))
                rows += apps
        if rows:
            places.consider(rows)
        return few

    def _move_all(self, places: Places, row: int, apps: list[int]) -> list[tuple[int, int]]:
        targets: list[int] = []
        for app in apps:
            column = places.best(row + len(targets), app)
            if column is None:
                places.take_back(targets)
                return []
            places.put(app, column)
            targets.append(column)
        places.chosen.update(targets)
        return [(app, places.host(column)) for app, column in zip(apps, targets, strict=True)]
