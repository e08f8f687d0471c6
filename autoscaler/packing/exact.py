"""The optimum of a small problem, by depth-first branch and bound over where each item goes.

Separate because it is simple enough to be believed, and because for a handful of app VMs nothing less than the optimum will
do. Its answer proves itself: the bound is the objective. A branch ends where what it has cost, and what room for the rest must cost
at the best price there is, comes to no less than the best so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, FloatArray
from autoscaler.packing.filling import Filling, by_weight
from autoscaler.packing.problem import ROUNDING, Packing, Problem, objective

MOST_ITEMS = 9
RATE_MOST, TINY = 1e100, 1e-200  # of what nobody offers, money per unit


@dataclass(slots=True, eq=False)
class _Search:
    problem: Problem
    order: list[int]
    best: Packing | None
    cost: float
    steps_left: int
    views: FloatArray  # (v, r) prices of resources: each alone, and all together
    rates: FloatArray  # (v,) the least that a bin costs per unit that it offers, so priced
    rest: FloatArray  # (n + 1, r) demand of the items that are not placed yet, by depth

    def room_costs(self, filling: Filling, depth: int) -> float:
        """The least that is to be paid for what does not fit into the bins that are paid already."""
        paid = filling.count > 0
        paid[: self.problem.bins] |= self.problem.fixed
        free = np.maximum(filling.free[paid] + filling.slack[paid], 0.0).sum(axis=0)
        return float(np.max(self.rates * (self.views @ (self.rest[depth] - free)), initial=0.0))


def solve_exactly(
    problem: Problem, start: Packing | None, weights: FloatArray, steps: int = 200_000
) -> tuple[Packing | None, bool]:
    """The cheapest packing, and whether that is certain (not, where `steps` placements did not suffice)."""
    order = [int(item) for item in by_weight(problem, np.arange(problem.items), weights)]
    cost = np.inf if start is None else objective(problem, start)
    views = np.concatenate([np.eye(len(weights)), weights[None, :]])
    rest = np.concatenate([np.cumsum(problem.demand[order[::-1]], axis=0)[::-1], np.zeros((1, len(weights)))])
    search = _Search(problem, order, start, cost, steps, views, _rates(problem, views), rest)
    filling = Filling(problem, np.zeros(0, dtype=np.int64))
    _place(search, filling, 0, float(problem.bin_price[problem.fixed].sum()))
    return search.best, search.steps_left > 0


def _rates(problem: Problem, views: FloatArray) -> FloatArray:
    """Never above what any bin costs per unit that it offers, as rounding lets it be filled."""
    open_to_all = ~problem.fixed
    offered = np.concatenate([problem.bin_capacity[open_to_all], problem.size_capacity]) @ views.T * (1 + 2 * ROUNDING)
    price = np.concatenate([problem.bin_price[open_to_all], problem.size_price])[:, None]
    return np.asarray(np.where(offered > 0, price / np.maximum(offered, TINY), np.inf).min(axis=0, initial=RATE_MOST))


def _place(search: _Search, filling: Filling, depth: int, cost: float) -> None:
    problem = search.problem
    if cost >= search.cost * (1 - ROUNDING) or search.steps_left <= 0:
        return
    if depth == problem.items:
        search.best, search.cost = filling.packing(), cost
        return
    if cost + search.room_costs(filling, depth) >= search.cost:
        return
    item = search.order[depth]
    for row in np.flatnonzero(filling.fits(item)).tolist():
        search.steps_left -= 1
        opens = filling.count[row] == 0 and row < problem.bins and not problem.fixed[row]
        extra = (problem.bin_price[row] if opens else 0.0) + _moving(problem, item, row)
        filling.put(item, row)
        _place(search, filling, depth + 1, cost + extra)
        filling.take(item)
    if problem.pinned[item] != NOWHERE:
        return
    rented = np.bincount(filling.rented, minlength=len(problem.size_price))
    for size in range(len(problem.size_price)):
        if (
            rented[size] < problem.size_limit[size]
            and (problem.size_capacity[size] * (1 + ROUNDING) >= problem.demand[item]).all()
        ):
            dearer = cost + float(problem.size_price[size]) + _moving(problem, item, problem.bins)
            search.steps_left -= 1
            if dearer < search.cost * (1 - ROUNDING):
                grown = filling.copy()
                grown.put(item, grown.rent(size))
                _place(search, grown, depth + 1, dearer)


def _moving(problem: Problem, item: int, row: int) -> float:
    return float(problem.move_cost[item]) if problem.present[item] not in (NOWHERE, row) else 0.0
