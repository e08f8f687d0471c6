"""The optimum of a handful of items by trying every way to divide them, bin after bin: the checker's own, where it is possible.

Separate because it believes nobody: no proof is needed for so few. For each set of items the least that it costs to seat them in
the bins looked at so far (Held and Karp's way over sets, 1962). It shares nothing with the optimiser but the question.
"""

from __future__ import annotations

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.packing.problem import Problem

MOST_ITEMS = 9
SLACK = 2e-9  # relative: as in proof_checker


def least_cost(problem: Problem) -> float:
    """What the cheapest packing costs; infinite where there is none. Raises ValueError for more than MOST_ITEMS items."""
    if problem.items > MOST_ITEMS:
        raise ValueError(f"{problem.items} items are too many to try everything")
    sets = np.arange(1 << problem.items)
    inside = (sets[:, None] >> np.arange(problem.items) & 1).astype(bool)
    friendly = _friendly(problem, inside)
    wanted, moving = inside @ problem.demand, inside @ np.where(problem.present >= 0, problem.move_cost, 0.0)
    least = np.where(sets == 0, 0.0, np.inf)
    for row in range(problem.bins):
        at_home, pinned = problem.present == row, problem.pinned == row
        here = inside @ np.where(at_home, problem.move_cost, 0.0)
        may = friendly & ~(inside & ~pinned & (problem.pinned >= 0)).any(axis=1)
        may &= (wanted <= problem.bin_capacity[row] * (1 + SLACK)).all(axis=1)
        if problem.closed[row]:
            may &= ~(inside & ~at_home).any(axis=1)
        price = np.where((sets > 0) | problem.fixed[row], problem.bin_price[row], 0.0)
        least = _seated(least, np.where(may, price + moving - here, np.inf))
    free = friendly & ~(inside & (problem.pinned >= 0)).any(axis=1)
    for size, limit in enumerate(problem.size_limit.tolist()):
        may = free & (wanted <= problem.size_capacity[size] * (1 + SLACK)).all(axis=1)
        price = np.where(sets > 0, problem.size_price[size], 0.0)
        for _ in range(min(limit, problem.items)):
            least = _seated(least, np.where(may, price + moving, np.inf))
    return float(least[-1])


def _friendly(problem: Problem, inside: np.ndarray) -> np.ndarray:
    """(sets,) whose items may be together."""
    good = np.ones(len(inside), dtype=bool)
    for one, other in problem.apart.tolist():
        good &= ~(inside[:, one] & inside[:, other])
    tenants = np.where(inside & (problem.tenant >= 0), problem.tenant, -1).max(axis=1, initial=-1)
    others = inside & (problem.tenant >= 0) & (problem.tenant != tenants[:, None])
    return np.asarray(good & ~others.any(axis=1))


def _seated(least: FloatArray, cost: FloatArray) -> FloatArray:
    """With one more bin: for each set the best of its parts to put into it."""
    sets, after = np.arange(len(least)), np.full(len(least), np.inf)
    for part in np.flatnonzero(np.isfinite(cost)).tolist():
        before = sets[sets & part == 0]
        after[before | part] = np.minimum(after[before | part], least[before] + cost[part])
    return after
