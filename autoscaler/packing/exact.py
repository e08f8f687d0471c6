"""The optimum of a small problem, by depth-first branch and bound over where each item goes.

Separate because it is simple enough to be believed, and because for a handful of app VMs nothing less than the optimum will
do. Its answer proves itself: the bound is the objective.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, FloatArray
from autoscaler.packing.filling import Filling, by_weight
from autoscaler.packing.problem import ROUNDING, Packing, Problem, objective

MOST_ITEMS = 9


@dataclass(slots=True, eq=False)
class _Search:
    problem: Problem
    order: list[int]
    best: Packing | None
    cost: float
    steps_left: int


def solve_exactly(
    problem: Problem, start: Packing | None, weights: FloatArray, steps: int = 200_000
) -> tuple[Packing | None, bool]:
    """The cheapest packing, and whether that is certain (not, where `steps` placements did not suffice)."""
    order = [int(item) for item in by_weight(problem, np.arange(problem.items), weights)]
    search = _Search(problem, order, start, np.inf if start is None else objective(problem, start), steps)
    filling = Filling(problem, np.zeros(0, dtype=np.int64))
    _place(search, filling, 0, float(problem.bin_price[problem.fixed].sum()))
    return search.best, search.steps_left > 0


def _place(search: _Search, filling: Filling, depth: int, cost: float) -> None:
    problem = search.problem
    if cost >= search.cost * (1 - ROUNDING) or search.steps_left <= 0:
        return
    if depth == problem.items:
        search.best, search.cost = filling.packing(), cost
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
            search.steps_left -= 1
            grown = filling.copy()
            new = grown.rent(size)
            grown.put(item, new)
            _place(search, grown, depth + 1, cost + float(problem.size_price[size]) + _moving(problem, item, new))


def _moving(problem: Problem, item: int, row: int) -> float:
    return float(problem.move_cost[item]) if problem.present[item] not in (NOWHERE, row) else 0.0
