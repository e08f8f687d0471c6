"""Best-fit decreasing, as rivals place: what the optimiser is shown against, in two forms and each at its best.

`from_scratch`: every app VM anew, the biggest first, into the bin it leaves fullest; the cheapest of one run per size for what
has to be rented. `from_present`: the emptiest bin first, emptied where all it holds fits elsewhere, until nothing can be.
Both keep pins and pairs apart (`Filling` sees to that), and let an app VM stay where it is when that bin is open anyway.
"""

from __future__ import annotations

import numpy as np

from autoscaler.core.snapshot import NOWHERE
from autoscaler.packing.filling import Filling
from autoscaler.packing.problem import Packing, Problem, objective


def from_scratch(problem: Problem) -> Packing:
    packings = [_anew(problem, size) for size in range(len(problem.size_price))]
    return min((p for p in packings if p is not None), key=lambda packing: objective(problem, packing))


def from_present(problem: Problem) -> Packing:
    filling = Filling.of(problem, Packing(problem.present, np.zeros(0, dtype=np.int64)))
    load = 1 - (filling.free / filling.capacity).mean(axis=1)
    for row in np.argsort(load, kind="stable"):
        items = filling.in_bin(int(row))
        if problem.fixed[row] or (problem.pinned[items] != NOWHERE).any():
            continue
        trial = filling.copy()
        trial.usable[row] = False
        trial.usable[: problem.bins] &= trial.count[: problem.bins] > 0
        for item in items:
            trial.take(int(item))
        if all(_best_fit(trial, int(item)) for item in _decreasing(problem, items)):
            filling = trial
    return filling.packing()


def _anew(problem: Problem, size: int) -> Packing | None:
    """Bins are opened only when nobody open has room: a present one (the cheapest for what it offers), then a new one."""
    filling = Filling(problem, np.zeros(0, dtype=np.int64))
    held = problem.pinned[problem.pinned != NOWHERE]
    filling.usable[:] = problem.fixed
    filling.usable[held] = True
    worth = problem.bin_price / (problem.bin_capacity / problem.size_capacity.max(axis=0)).mean(axis=1)
    waiting = [int(row) for row in np.argsort(worth, kind="stable")]
    pinned = np.flatnonzero(problem.pinned != NOWHERE)
    for item in [*pinned, *_decreasing(problem, np.flatnonzero(problem.pinned == NOWHERE))]:
        while not _best_fit(filling, int(item)):
            kinds = [size, *np.argsort(problem.size_price)]
            holding = [k for k in kinds if (problem.size_capacity[k] >= problem.demand[item]).all()]
            if waiting:
                filling.usable[waiting.pop(0)] = True
            elif holding:
                filling.rent(int(holding[0]))
            else:
                return None
    return filling.packing()


def _decreasing(problem: Problem, items: np.ndarray) -> np.ndarray:
    share = (problem.demand[items] / problem.size_capacity.max(axis=0)).max(axis=1)
    return items[np.argsort(-share, kind="stable")]


def _best_fit(filling: Filling, item: int) -> bool:
    rows = np.flatnonzero(filling.fits(item))
    if not len(rows):
        return False
    left = (filling.free[rows] / filling.problem.size_capacity.max(axis=0)).sum(axis=1)
    home = filling.problem.present[item]
    filling.put(item, int(home) if home in rows else int(rows[np.argmin(left)]))
    return True
