"""Power-aware best fit decreasing: one turn of the PlanetLab experiment's consolidation, over arrays.

Relieve overloaded hosts, then empty the least loaded ones, each app VM going where power rises least. Separate from the
detectors (overload) and from any clock: one turn sees one instant. Definitions: Beloglazov & Buyya, CCPE 24(13), 2012, as
run by CloudSim 3.0.3, including that the power a host draws is not updated within a turn, and that hosts which have just
received app VMs may be emptied again. Nothing of time, energy or trace files may be here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoscaler.core.snapshot import BoolArray, IntArray
from autoscaler.packing import quick
from autoscaler.packing.overload import Judge, ScoreJudge
from autoscaler.packing.places import NOBODY, Hosts, Moment, Places, flat
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
        self._demands: list[float] = moment.demand.tolist()

    def moves(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Those that relieve, and those that empty."""
        over = self._overloaded()
        leaving = [app for host in np.flatnonzero(over).tolist() for app in self._leaving(host)]
        columns = np.flatnonzero(self._moment.active | self._spares(len(leaving)))
        judge = self._judge
        if self._quick and isinstance(judge, ScoreJudge):
            return self._quickly(columns, over, self._decreasing(leaving), judge)
        places = Places(self._hosts, self._moment, self._judge, columns)
        places.close(np.flatnonzero(over[columns]))
        relief = self._relieve(places, self._decreasing(leaving))
        places.close(np.flatnonzero(~self._moment.active[columns]))
        if self._settled:
            places.settle()
        return relief, self._empty_underloaded(places)

    def _quickly(
        self, columns: IntArray, over: BoolArray, leaving: list[int], judge: ScoreJudge
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The rest of the turn as machine code."""
        hosts, moment = self._hosts, self._moment
        load, kind, capacity = moment.load[columns], hosts.kind[columns], hosts.capacity[columns]
        apps, column = flat([moment.residents[host] for host in columns.tolist()])
        known, left, spare = judge.sums(apps, column, capacity)
        allocated, processor = moment.allocated[columns], hosts.processor[columns]
        room = np.where(over[columns], NOBODY, np.minimum(capacity - allocated, processor))
        reference_w = hosts.curves.draw(kind, load)
        table = np.array((allocated, room, left, spare, known, capacity, processor, reference_w, load))
        order = np.argsort(load, kind="stable")
        relief, count, guests, where = quick.turn(
            table,
            kind * hosts.curves.stride,
            np.array((judge.demand, judge.score, judge.known)),
            *hosts.curves.table,
            np.array(leaving, dtype=np.int64),
            apps,
            np.searchsorted(column, np.arange(len(columns) + 1)),
            order[(load[order] > 0) & (load[order] < 1)],
            moment.active[columns],
        )
        moves = list(zip(guests[:count].tolist(), columns[where[:count]].tolist(), strict=True))
        return moves[:relief], moves[relief:]

    def _overloaded(self) -> BoolArray:
        """(hosts,)"""
        over = np.zeros(len(self._hosts), dtype=np.bool_)
        active = np.flatnonzero(self._moment.active)
        apps, column = flat([self._moment.residents[host] for host in active.tolist()])
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
