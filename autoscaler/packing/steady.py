"""Consolidation that holds still: one turn that moves as few as possible, over arrays.

Separate from pabfd, whose turns retrace the literature, because this one asks another question: not where power rises least
right now, but where an app VM can stay. A host is filled up to the demand that its app VMs will exceed but rarely, all taken
together (means add up, variances add up); it is relieved only where demand is above what it has, by the moves that lose the
least work; it is emptied only where each move saves enough power. No clock, and no state from turn to turn, may be here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.packing.covering import cheapest_cover
from autoscaler.packing.places import Hosts, Moment, flat

SPARES = 16  # empty hosts of each kind that a turn may use
MOST_FAILURES = 8  # hosts in turn that cannot be emptied; the ones after them are fuller
PRIOR_SAMPLES = 10.0  # as many as these weighs what is supposed of an app VM that was never seen
PRIOR_SHARE = (
    0.12  # supposed variance: this squared x the most it can use x its mean, as of a load that comes in bursts
)
LEAST_MEAN = 0.02  # share of the most it can use that an app VM is supposed to use in the mean, at least
NOW, EXPECTED, VARIANCE = range(3)

Moves = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Rule:
    """fill_fraction: of capacity, up to where hosts are filled with expected demand and `deviations` of it. newest_weight: of
    the newest sample against the mean of the past. ceiling_fraction: demand above it is relieved, down to
    relieved_fraction. watts_per_move: what emptying must save."""

    fill_fraction: float
    deviations: float
    newest_weight: float
    ceiling_fraction: float
    relieved_fraction: float
    watts_per_move: float


class SteadyTurn:
    """One turn; `moves()` may be called once. window: (samples, apps) past demand, the newest last."""

    def __init__(self, hosts: Hosts, moment: Moment, window: FloatArray, rule: Rule) -> None:
        self._rule, self._moment, self._curves = rule, moment, hosts.curves
        self._columns = np.flatnonzero(moment.active | _spares(hosts, moment))
        self._capacity, self._kind = hosts.capacity[self._columns], hosts.kind[self._columns]
        self._processor = hosts.processor[self._columns]
        self._active = moment.active[self._columns].copy()
        self._residents = [list(moment.residents[host]) for host in self._columns.tolist()]
        self._memory = np.asarray(moment.candidates.memory, dtype=np.float64)
        self._free = None if moment.memory_free is None else moment.memory_free[self._columns].copy()
        self._apps = _foreseen(moment, window, rule.newest_weight)
        apps, column = flat(self._residents)
        self._sums = np.array([np.bincount(column, of[apps], len(self._columns)) for of in self._apps])
        full_w = hosts.curves.watts[self._kind, -1]
        self._w_per_capacity = np.round(full_w / self._capacity, 12)
        self._open: BoolArray = np.zeros(0, dtype=np.bool_)

    def moves(self) -> tuple[Moves, Moves]:
        """(app VM, host): those that relieve, and those that empty."""
        over = self._active & (self._sums[NOW] > self._capacity * self._rule.ceiling_fraction)
        self._open = self._active & ~over
        relief = self._relieve(np.flatnonzero(over).tolist())
        received = {column for _, column in relief}
        emptied = self._empty(received, {app for app, _ in relief})
        return self._named(relief), self._named(emptied)

    def _named(self, moves: Moves) -> Moves:
        return [(app, int(self._columns[column])) for app, column in moves]

    def _relieve(self, over: list[int]) -> Moves:
        leaving = [(app, column) for column in over for app in self._leaving(column)]
        moves: Moves = []
        for app, source in sorted(leaving, key=lambda pair: -float(self._apps[NOW, pair[0]])):
            target = self._best(app)
            if target is None:
                target = self._new_host(app)
            if target is not None:
                self._move(app, source, target)
                moves.append((app, target))
        return moves

    def _leaving(self, column: int) -> list[int]:
        """Who goes so that the rest has room: the least work lost in moving, and the fewest."""
        apps = [app for app in self._residents[column] if self._apps[NOW, app] > 0]
        demand = self._apps[NOW, apps]
        lost = demand * self._memory[apps]
        excess = float(self._sums[NOW, column] - self._capacity[column] * self._rule.relieved_fraction)
        chosen = cheapest_cover(demand.tolist(), (lost + self._typical_loss()).tolist(), excess)
        return [apps[row] for row in chosen]

    def _typical_loss(self) -> float:
        """What one more move is taken to cost beside the work it loses: as much as a mean one loses."""
        return float((self._apps[NOW] * self._memory).mean())

    def _best(self, app: int) -> int | None:
        """The fullest host, of the most efficient kind, where it fits; the first of equals."""
        after = self._sums + self._apps[:, app, None]
        limit = self._capacity * self._rule.fill_fraction
        need = after[EXPECTED] + self._rule.deviations * np.sqrt(np.maximum(after[VARIANCE], 0.0))
        room = limit - np.maximum(need, after[NOW])
        fits = self._open & (room >= 0) & (self._apps[NOW, app] <= self._processor)
        if self._free is not None:
            fits &= self._free >= self._memory[app]
        columns = np.flatnonzero(fits)
        if not len(columns):
            return None
        order = np.lexsort((room[columns] / self._capacity[columns], self._w_per_capacity[columns]))
        return int(columns[order[0]])

    def _new_host(self, app: int) -> int | None:
        """An empty host: one that is on already if there is any, then of the most efficient kind."""
        empty = np.flatnonzero(~self._active & (self._apps[NOW, app] <= self._processor))
        if self._free is not None:
            empty = empty[self._free[empty] >= self._memory[app]]
        if not len(empty):
            return None
        off = np.zeros(len(empty)) if self._moment.off is None else self._moment.off[self._columns[empty]]
        column = int(empty[np.lexsort((self._w_per_capacity[empty], off))[0]])
        self._active[column] = self._open[column] = True
        return column

    def _move(self, app: int, source: int, target: int) -> None:
        self._sums[:, source] -= self._apps[:, app]
        self._sums[:, target] += self._apps[:, app]
        if self._free is not None:
            self._free[target] -= self._memory[app]  # the source keeps its share until the migration is over

    def _empty(self, received: set[int], moved: set[int]) -> Moves:
        """From the least loaded host on, all its app VMs or none."""
        moves: Moves = []
        failures = 0
        load = self._sums[EXPECTED] / self._capacity
        for column in np.argsort(load, kind="stable").tolist():
            apps = [app for app in self._residents[column] if app not in moved]
            if not apps or column in received or not self._open[column] or failures == MOST_FAILURES:
                continue
            found = self._emptied(column, apps)
            failures += not found
            moves += found
            received.update(target for _, target in found)
        return moves

    def _emptied(self, column: int, apps: list[int]) -> Moves:
        """Where they go; nobody goes where somebody fits nowhere, or where it saves too little."""
        saved_w = self._watts(column)
        if saved_w < self._rule.watts_per_move * len(apps):
            return []
        begun = self._sums.copy(), None if self._free is None else self._free.copy()
        self._open[column] = False
        moves: Moves = []
        for app in sorted(apps, key=lambda app: -float(self._apps[EXPECTED, app])):
            target = self._best(app)
            if target is None:
                break
            saved_w += self._watts(target)
            self._move(app, column, target)
            saved_w -= self._watts(target)
            moves.append((app, target))
        if len(moves) == len(apps) and saved_w >= self._rule.watts_per_move * len(apps):
            return moves
        self._sums, self._free = begun
        self._open[column] = True
        return []

    def _watts(self, column: int) -> float:
        load = min(1.0, max(0.0, float(self._sums[NOW, column] / self._capacity[column])))
        return self._curves.of(int(self._kind[column]), load)


def _foreseen(moment: Moment, window: FloatArray, newest_weight: float) -> FloatArray:
    """(3, apps): demand now, expected, and its variance about the mean; of short pasts what is supposed counts more."""
    mean = window.mean(axis=0)
    load = np.asarray(moment.candidates.load, dtype=np.float64)
    most = np.where(load > 0, moment.demand / np.where(load > 0, load, 1.0), 1.0)
    supposed = PRIOR_SHARE**2 * most * np.maximum(mean, LEAST_MEAN * most)
    seen = ((window - mean) ** 2).sum(axis=0)
    variance = (seen + PRIOR_SAMPLES * supposed) / (len(window) + PRIOR_SAMPLES)
    expected = newest_weight * moment.demand + (1 - newest_weight) * mean
    return np.array((moment.demand, expected, variance))


def _spares(hosts: Hosts, moment: Moment) -> BoolArray:
    """(hosts,) the first empty ones of each kind."""
    spare = np.zeros(len(hosts), dtype=np.bool_)
    empty: IntArray = np.flatnonzero(~moment.active)
    for kind in range(len(hosts.curves.watts)):
        spare[empty[hosts.kind[empty] == kind][:SPARES]] = True
    return spare
