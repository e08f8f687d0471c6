"""A packing in the making: bins with what is free in them, items put in and taken out, and where an item may go.

The one mutable working value of the optimiser. It keeps every rule of the problem (capacity, closed bins, pins, tenants,
pairs kept apart) at each call, so that whoever searches cannot break one. It prefers nothing: that is the searchers' part.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray
from autoscaler.packing.problem import ROUNDING, Packing, Problem, capacity


class Filling:
    """Rows of bins: the present ones, then the rented ones. `usable`: (b + m,) bins that items may be put into."""

    def __init__(self, problem: Problem, rented: IntArray) -> None:
        self.problem = problem
        self.rented = rented
        self.capacity = capacity(problem, rented)
        self.slack = self.capacity * ROUNDING
        self.free = self.capacity.copy()
        self.place = np.full(problem.items, NOWHERE, dtype=np.int64)
        self.count = np.zeros(len(self.free), dtype=np.int64)
        self.tenant = np.full(len(self.free), NOWHERE, dtype=np.int64)
        self.usable = np.ones(len(self.free), dtype=np.bool_)
        self._rules = bool(len(problem.apart)) or bool((problem.tenant != NOWHERE).any())

    @classmethod
    def of(cls, problem: Problem, packing: Packing) -> Filling:
        """As `packing` says; its bins may be over their capacity, as reality may be."""
        filling = cls(problem, packing.rented)
        placed = np.flatnonzero(packing.place != NOWHERE)
        rows, bins = packing.place[placed], len(filling.free)
        filling.place = packing.place.copy()
        filling.count = np.bincount(rows, minlength=bins)
        for resource in range(problem.demand.shape[1]):
            filling.free[:, resource] -= np.bincount(rows, weights=problem.demand[placed, resource], minlength=bins)
        np.maximum.at(filling.tenant, rows, problem.tenant[placed])
        return filling

    def copy(self) -> Filling:
        twin = object.__new__(Filling)
        twin.__dict__ |= {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}
        return twin

    def packing(self) -> Packing:
        """What is there now, without rented bins that are empty."""
        bins = self.problem.bins
        used = self.count[bins:] > 0
        renumbered = np.concatenate([np.arange(bins), bins + np.cumsum(used) - 1]).astype(np.int64)
        place = np.where(self.place == NOWHERE, NOWHERE, renumbered[self.place])
        return Packing(np.asarray(place, dtype=np.int64), self.rented[used])

    def rent(self, size: int) -> int:
        """One more bin of `size`; its row."""
        self.rented = np.append(self.rented, size)
        gives = self.problem.size_capacity[size]
        self.capacity = np.vstack([self.capacity, gives])
        self.slack = np.vstack([self.slack, gives * ROUNDING])
        self.free = np.vstack([self.free, gives])
        self.count, self.tenant = np.append(self.count, 0), np.append(self.tenant, NOWHERE)
        self.usable = np.append(self.usable, True)
        return len(self.free) - 1

    def put(self, item: int, row: int) -> None:
        self.place[item] = row
        self.free[row] -= self.problem.demand[item]
        self.count[row] += 1
        if self.problem.tenant[item] != NOWHERE:
            self.tenant[row] = self.problem.tenant[item]

    def take(self, item: int) -> int:
        """Take `item` out of its bin; the bin's row."""
        row = int(self.place[item])
        self.place[item] = NOWHERE
        self.free[row] += self.problem.demand[item]
        self.count[row] -= 1
        if self.count[row] == 0:
            self.free[row], self.tenant[row] = self.capacity[row], NOWHERE  # no rounding is left behind
        elif self._rules and self.tenant[row] != NOWHERE:
            left = self.problem.tenant[self.place == row]
            self.tenant[row] = left.max()
        return row

    def fits(self, item: int) -> BoolArray:
        """(b + m,) bins that may take `item` now."""
        fits = self.allows(item) & self.usable
        for resource, wanted in enumerate(self.problem.demand[item]):  # several times as fast as all(axis=1)
            fits &= self.free[:, resource] + self.slack[:, resource] >= wanted
        return fits

    def allows(self, item: int) -> BoolArray:
        """(b + m,) bins that may take `item` if there were room."""
        problem, bins = self.problem, self.problem.bins
        home, pin = problem.present[item], problem.pinned[item]
        allowed = np.ones(len(self.free), dtype=np.bool_)
        allowed[:bins] = ~problem.closed
        if home != NOWHERE:
            allowed[home] = True
        if pin != NOWHERE:
            allowed[:] = np.arange(len(allowed)) == pin
        if self._rules:
            mine = problem.tenant[item]
            if mine != NOWHERE:
                allowed &= (self.tenant == NOWHERE) | (self.tenant == mine)
            where = self.place[problem.rivals[item]]
            allowed[where[where != NOWHERE]] = False
        return allowed

    def fits_in(self, item: int, row: int) -> bool:
        """Whether the bin of `row` may take `item` now: `fits(item)[row]`, without looking at all the others."""
        problem = self.problem
        pin, mine, theirs = problem.pinned[item], problem.tenant[item], self.tenant[row]
        if (
            not self.usable[row]
            or (pin not in (NOWHERE, row))
            or (self.free[row] + self.slack[row] < problem.demand[item]).any()
        ):
            return False
        if row < problem.bins and problem.closed[row] and problem.present[item] != row and pin != row:
            return False
        company = mine == NOWHERE or theirs in (NOWHERE, mine)
        return bool(company and not (self.place[problem.rivals[item]] == row).any())

    def wary(self, row: int) -> bool:
        """Whether more than room has to be looked at before something goes into the bin."""
        return self._rules or not self.usable[row]

    def in_bin(self, row: int) -> IntArray:
        """Items in the bin, ascending."""
        return np.flatnonzero(self.place == row)

    def overfull(self) -> IntArray:
        """Bins that hold more than they can."""
        return np.flatnonzero((self.free + self.slack < 0).any(axis=1))

    def unplaced(self) -> IntArray:
        return np.flatnonzero(self.place == NOWHERE)


def by_weight(problem: Problem, items: IntArray | Iterable[int], weights: FloatArray) -> IntArray:
    """`items`, the hardest to place first: those with pins and rivals, then by weighted demand, then by row."""
    chosen = np.asarray(items, dtype=np.int64)
    burden = problem.demand[chosen] @ weights
    return chosen[np.lexsort((chosen, -burden, problem.pinned[chosen] == NOWHERE))]
