"""A first packing: keep who may stay, put the others where they leave least behind, rent where nothing is left.

Best-fit decreasing over several resources, with multipliers as the resources' prices, and single swaps where it gets tight.
Good enough alone. No improvement of what is complete, and no bound, may be here.
"""

from __future__ import annotations

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray
from autoscaler.packing.filling import Filling, by_weight
from autoscaler.packing.problem import Packing, Problem

SKEW = 0.3  # how much of the score is left to a bin that suits perfectly
SWAPS_TRIED = 64  # exchanges looked at for one item that fits nowhere


def prices(problem: Problem) -> FloatArray:
    """(r,) a price per unit of each resource for want of a better one: the mean over sizes, equal shares of the money."""
    gives = np.concatenate([problem.size_capacity, problem.bin_capacity])
    costs = np.concatenate([problem.size_price, problem.bin_price])
    offered = gives.sum(axis=0)
    return np.asarray(np.where(offered > 0, costs.sum() / np.maximum(offered, 1e-300), 0.0) / gives.shape[1] + 1e-300)


def standing(problem: Problem) -> Packing | None:
    """Everybody stays, where that is a packing: nobody is nowhere, in too full a bin, or where he may not be."""
    place = problem.present
    if (place == NOWHERE).any() or ((problem.pinned != NOWHERE) & (problem.pinned != place)).any():
        return None
    packing = Packing(place, np.zeros(0, dtype=np.int64))
    if len(Filling.of(problem, packing).overfull()) or (place[problem.apart[:, 0]] == place[problem.apart[:, 1]]).any():
        return None
    labelled = problem.tenant != NOWHERE
    pairs = np.unique(np.stack([place[labelled], problem.tenant[labelled]], axis=1), axis=0)
    return None if len(np.unique(pairs[:, 0])) < len(pairs) else packing


def construct(problem: Problem, keep: BoolArray, rent: IntArray, weights: FloatArray) -> Packing | None:
    """Keep the bins `keep` (b,), rent `rent` (s,) of each size and as many more as it takes. None where an item fits nowhere.

    weights: (r,) price of a unit of each resource, which says what "least left behind" means.
    """
    return complete(seated(problem, keep, rent), weights)


def complete(filling: Filling, weights: FloatArray) -> Packing | None:
    """Place everybody who has no place yet, renting where it takes that. None where an item fits nowhere."""
    for item in by_weight(filling.problem, filling.unplaced(), weights):
        if not (best_fit(filling, int(item), weights) or swap_in(filling, int(item), weights)):
            row = cheapest(filling, int(item), weights)
            if row is None:
                return None
            filling.put(int(item), row)
    return None if len(filling.overfull()) else filling.packing()  # pinned ones may be too many for their bin


def seated(problem: Problem, keep: BoolArray, rent: IntArray) -> Filling:
    """Everybody in a kept bin stays, except those that have to leave: of an overfull bin, or beside someone to be apart from."""
    sizes = np.repeat(np.arange(len(rent)), rent)
    filling = Filling(problem, sizes.astype(np.int64))
    filling.usable[: problem.bins] = keep
    stays = (problem.present != NOWHERE) & np.isin(problem.present, np.flatnonzero(keep))
    stays &= (problem.pinned == NOWHERE) | (problem.pinned == problem.present)
    dearest = np.argsort(-problem.move_cost, kind="stable")
    for item in dearest[stays[dearest]]:
        row = int(problem.present[item])
        if filling.fits_in(int(item), row) if filling.wary(row) else _has_room(filling, int(item), row):
            filling.put(int(item), row)
    return filling


def _has_room(filling: Filling, item: int, row: int) -> bool:
    return bool((filling.free[row] + filling.slack[row] >= filling.problem.demand[item]).all())


def best_fit(filling: Filling, item: int, weights: FloatArray) -> bool:
    """Put `item` into the bin that has least left, by `weights`; whether one takes it."""
    rows = np.flatnonzero(filling.fits(item))
    if not len(rows):
        return False
    home = filling.problem.present[item]
    filling.put(item, int(home) if home in rows else int(rows[np.argmin(_score(filling, item, rows, weights))]))
    return True


def _score(filling: Filling, item: int, rows: IntArray, weights: FloatArray) -> FloatArray:
    """(rows,) how little a bin suits `item`: what is left in it, times how far its free room points another way than the
    item's demand (an item that wants CPU belongs where CPU is left over)."""
    free, need = filling.free[rows] * weights, filling.problem.demand[item] * weights
    along = free @ need / (np.linalg.norm(free, axis=1) * np.linalg.norm(need) + 1e-300)
    return np.asarray(free.sum(axis=1) * (1.0 + SKEW - along))


def swap_in(filling: Filling, item: int, weights: FloatArray) -> bool:
    """Make room for `item` by moving one smaller item elsewhere; whether that was possible."""
    problem = filling.problem
    need, burden = problem.demand[item], problem.demand @ weights
    rows = np.flatnonzero(filling.usable & filling.allows(item))
    inside = np.zeros(len(filling.free) + 1, dtype=np.bool_)
    inside[rows] = True
    movable = inside[filling.place] & (filling.place != NOWHERE) & (problem.pinned == NOWHERE) & (burden < burden[item])
    others = np.flatnonzero(movable)
    where = filling.place[others]
    room = (filling.free[where] + problem.demand[others] + filling.slack[where] >= need).all(axis=1)
    others = others[room]
    for other in others[np.argsort(burden[others], kind="stable")][:SWAPS_TRIED]:
        row = filling.take(int(other))
        filling.put(item, row)
        if best_fit(filling, int(other), weights):
            return True
        filling.take(item)
        filling.put(int(other), row)
    return False


def cheapest(filling: Filling, item: int, weights: FloatArray) -> int | None:
    """Row of a newly rented bin for `item`: the size that costs least per unit of what it could be used for."""
    problem = filling.problem
    if problem.pinned[item] != NOWHERE:
        return None
    rented = np.bincount(filling.rented, minlength=len(problem.size_price))
    holds = (problem.size_capacity * (1 + 1e-9) >= problem.demand[item]).all(axis=1) & (rented < problem.size_limit)
    if not holds.any():
        return None
    left = filling.unplaced()
    wanted = problem.demand[left].sum(axis=0)
    useful = np.minimum(problem.size_capacity, wanted) @ weights
    return filling.rent(int(np.argmin(np.where(holds, problem.size_price / np.maximum(useful, 1e-300), np.inf))))
