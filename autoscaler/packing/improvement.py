"""Better packings from a complete one: empty a bin, swap it for a cheaper one, repack a few, let movers go home.

Large neighbourhood search (Shaw, CP 1998): every trial works on a copy and is kept only if it is complete and cheaper, so that
the best so far is always valid and the search may end at any moment. Chance comes in as a seeded generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoscaler.core.snapshot import NOWHERE, FloatArray, IntArray
from autoscaler.packing.construction import best_fit, cheapest, swap_in
from autoscaler.packing.filling import Filling, by_weight
from autoscaler.packing.problem import ROUNDING, Packing, Problem, objective

Trial = Callable[[Filling, FloatArray, np.random.Generator], bool]
MOST_REPACKED = 8  # bins
TILT = 0.5  # each trial sees the resources' prices a little differently (standard deviation of the logarithm)
PROMISE = 0.05
SWAPS_A_TRIAL = 10
DETOUR = 0.005  # record-to-record travel (Dueck 1993): go on from what is this much dearer than the best, less and less


def improve(
    problem: Problem,
    packing: Packing,
    weights: FloatArray,
    trials: int,
    luck: np.random.Generator,
    stop: Callable[[], bool] = lambda: False,
    enough: float = -np.inf,
) -> Packing:
    """The best packing found in at most `trials` trials, `packing` itself where none was better; ends at cost `enough`."""
    best, cost = packing, objective(problem, packing)
    filling = Filling.of(problem, best)
    level = cost - promise(filling, weights)
    for number in range(trials):
        if cost <= enough or stop():
            break
        trial = filling.copy()
        if not TRIALS[number % len(TRIALS)](trial, tilted(weights, luck), luck):
            continue
        found = trial.packing()
        price = objective(problem, found)
        kept = Filling.of(problem, found)
        score = price - promise(kept, weights)
        if score <= level + cost * DETOUR * (1 - number / trials):
            filling, level = kept, min(score, level)
        if price < cost * (1 - ROUNDING):
            best, cost = found, price
    return best


def tilted(weights: FloatArray, luck: np.random.Generator) -> FloatArray:
    """The resources' prices, each a little off."""
    return np.asarray(weights * np.exp(luck.normal(0.0, TILT, len(weights))), dtype=np.float64)


def promise(filling: Filling, weights: FloatArray) -> float:
    """What the free room may be worth: more where it lies together (Falkenauer, A hybrid grouping genetic algorithm, 1996)."""
    rows = np.flatnonzero(filling.count > 0)
    bins = filling.problem.bins
    price = np.concatenate([filling.problem.bin_price, filling.problem.size_price[filling.rented]])[rows]
    empty = np.maximum(filling.free[rows] @ weights, 0.0) / (filling.capacity[rows] @ weights)
    return float(PROMISE * (price * empty**2).sum()) if bins or len(rows) else 0.0


def swap_two(filling: Filling, weights: FloatArray, luck: np.random.Generator) -> bool:
    """Exchange items between bins, each time the pair that brings most free room together."""
    changed = False
    for _ in range(SWAPS_A_TRIAL):
        items = filling.problem.items
        item = int(luck.integers(items))
        changed |= _best_swap(filling, item, weights)
    return changed


def _best_swap(filling: Filling, item: int, weights: FloatArray) -> bool:
    problem, row = filling.problem, int(filling.place[item])
    if problem.pinned[item] != NOWHERE or (row < problem.bins and problem.closed[row]):
        return False
    need, where = problem.demand[item], filling.place
    there = filling.free[where] + problem.demand + filling.slack[where] >= need
    here = filling.free[row] + need + filling.slack[row] >= problem.demand
    may = there.all(axis=1) & here.all(axis=1) & (where != row) & (problem.pinned == NOWHERE)
    others = np.flatnonzero(may)
    if not len(others):
        return False
    shift = (problem.demand[others] - need) @ weights  # what bin `row` loses of its free room
    size, sizes = filling.capacity[row] @ weights, filling.capacity[where[others]] @ weights
    mine, theirs = filling.free[row] @ weights, filling.free[where[others]] @ weights
    gain = ((mine - shift) ** 2 - mine**2) / size + ((theirs + shift) ** 2 - theirs**2) / sizes
    chosen = int(np.argmax(gain))
    if gain[chosen] <= 0:
        return False
    other = int(others[chosen])
    target = filling.take(other)
    filling.take(item)
    if filling.allows(item)[target] and filling.allows(other)[row]:
        filling.put(item, target)
        filling.put(other, row)
        return True
    filling.put(item, row)
    filling.put(other, target)
    return False


def close_one(filling: Filling, weights: FloatArray, luck: np.random.Generator) -> bool:
    """Empty one bin into the others."""
    row = _emptiest(filling, weights, luck)
    return row is not None and _empty(filling, [row], weights, rent=False)


def cheaper_bin(filling: Filling, weights: FloatArray, luck: np.random.Generator) -> bool:
    """Everything of one bin into one newly rented, cheaper bin that holds it."""
    row = _emptiest(filling, weights, luck)
    if row is None:
        return False
    problem, items = filling.problem, filling.in_bin(row)
    if (problem.pinned[items] != NOWHERE).any():
        return False
    rented = np.bincount(filling.rented, minlength=len(problem.size_price))
    need = problem.demand[items].sum(axis=0)
    holds = (problem.size_capacity * (1 + ROUNDING) >= need).all(axis=1) & (rented < problem.size_limit)
    holds &= problem.size_price < _price(filling, row)
    if not holds.any():
        return False
    new = filling.rent(int(np.argmin(np.where(holds, problem.size_price, np.inf))))
    for item in items:
        filling.take(int(item))
        filling.put(int(item), new)
    return True


def repack(filling: Filling, weights: FloatArray, luck: np.random.Generator) -> bool:
    """Empty a few bins at once, and rent what the rest of the bins cannot take."""
    rows: list[int] = []
    for _ in range(int(luck.integers(2, MOST_REPACKED + 1))):
        row = _emptiest(filling, weights, luck, rows)
        if row is not None:
            rows.append(row)
    return bool(rows) and _empty(filling, rows, weights, rent=True)


def go_home(filling: Filling, weights: FloatArray, luck: np.random.Generator) -> bool:
    """Movers back to where they are now, as far as there is room; dearest first."""
    del weights, luck
    problem = filling.problem
    away = np.flatnonzero(
        (problem.present != NOWHERE) & (filling.place != problem.present) & (problem.pinned == NOWHERE)
    )
    changed = False
    for item in away[np.argsort(-problem.move_cost[away], kind="stable")]:
        home = int(problem.present[item])
        if filling.count[home] and filling.fits_in(int(item), home):
            filling.take(int(item))
            filling.put(int(item), home)
            changed = True
    return changed


TRIALS: tuple[Trial, ...] = (close_one, swap_two, repack, cheaper_bin, swap_two, repack, swap_two, go_home)


def _emptiest(
    filling: Filling, weights: FloatArray, luck: np.random.Generator, but: list[int] | None = None
) -> int | None:
    """A bin in use that could go, drawn with odds by the money that its free room is worth."""
    bins = filling.problem.bins
    may = filling.count > 0
    may[:bins] &= ~filling.problem.fixed
    if but:
        may[but] = False
    rows = np.flatnonzero(may)
    if not len(rows):
        return None
    odds = np.maximum(filling.free[rows] @ weights, 0.0) + 1e-3 * (filling.capacity[rows] @ weights) + 1e-300
    return int(luck.choice(rows, p=odds / odds.sum()))


def _empty(filling: Filling, rows: list[int], weights: FloatArray, *, rent: bool) -> bool:
    """Place everything of `rows` elsewhere; into newly rented bins too, where `rent`. False: not possible."""
    problem = filling.problem
    items: IntArray = np.concatenate([filling.in_bin(row) for row in rows])
    if (problem.pinned[items] != NOWHERE).any():
        return False
    for item in items:
        filling.take(int(item))
    filling.usable[rows] = False
    unused = filling.count[: problem.bins] == 0
    filling.usable[: problem.bins] &= ~unused | problem.fixed
    for item in by_weight(problem, items, weights):
        if best_fit(filling, int(item), weights) or swap_in(filling, int(item), weights):
            continue
        row = cheapest(filling, int(item), weights) if rent else None
        if row is None:
            return False
        filling.put(int(item), row)
    return True


def _price(filling: Filling, row: int) -> float:
    problem = filling.problem
    if row < problem.bins:
        return float(problem.bin_price[row])
    return float(problem.size_price[filling.rented[row - problem.bins]])
