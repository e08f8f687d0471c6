"""Fill given bins to the brim: everybody in, overfull where need be, then exchanges until nothing is over.

Separate from `construction`, which never overfills and so leaves a little behind in every bin: an outline that is full to
99.9 % is reached from the other side only. Which bins there are is not decided here; whom no exchange helps is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray
from autoscaler.packing.construction import best_fit, seated
from autoscaler.packing.filling import Filling, by_weight
from autoscaler.packing.problem import Problem

PARTNERS = 400  # items of other bins looked at per exchange
LEAVERS = 32  # items of the overfull bin looked at per exchange
TRIED = 12  # best exchanges held against the rules (tenants, pairs apart) before another bin's turn
WANDER = 0.1  # share of exchanges that are kept though nothing gets better: out of dead ends
STALL = 300  # exchanges without less being over than ever before: this outline cannot be filled
HOMESICK = 0.02  # of an exchange's moving cost counts: among equal exchanges the one that moves fewer


def balance(
    problem: Problem,
    keep: BoolArray,
    rent: IntArray,
    weights: FloatArray,
    exchanges: int,
    luck: np.random.Generator,
    stop: Callable[[], bool] = lambda: False,
) -> Filling:
    """The bins `keep` (b,) and `rent` (s,) filled with at most `exchanges` exchanges; who did not fit is unplaced."""
    filling = seated(problem, keep, rent)
    for item in by_weight(problem, filling.unplaced(), weights):
        if stop():
            break
        if not best_fit(filling, int(item), weights):
            row = _least_over(filling, int(item), weights)
            if row is not None:
                filling.put(int(item), row)
    least, patience = np.inf, STALL
    for _ in range(exchanges):
        over = filling.overfull()
        patience -= 1
        if not len(over) or not patience or stop():
            break
        if (now := float(_excess(filling.free[over], weights).sum())) < least:
            least, patience = now, STALL
        _exchange(filling, int(luck.choice(over)), weights, luck)
    _leave(filling, weights)
    return filling


def _least_over(filling: Filling, item: int, weights: FloatArray) -> int | None:
    rows = np.flatnonzero(filling.usable & filling.allows(item))
    if not len(rows):
        return None
    after = _excess(filling.free[rows] - filling.problem.demand[item], weights)
    return int(rows[np.argmin(after - _excess(filling.free[rows], weights))])


def _excess(free: FloatArray, weights: FloatArray) -> FloatArray:
    """What is over, as money, with a little of its square: many are a little over rather than one by much."""
    money = np.zeros(free.shape[:-1])
    for resource, weight in enumerate(weights):  # several times as fast as sum(axis=-1)
        over = np.maximum(-free[..., resource], 0.0) * weight
        money += over + over * over
    return money


def _exchange(filling: Filling, row: int, weights: FloatArray, luck: np.random.Generator) -> None:
    """One item of `row` against one of another bin, or against nothing: the exchange after which least is over."""
    problem = filling.problem
    mine = filling.in_bin(row)
    mine = _some(mine[problem.pinned[mine] == NOWHERE], LEAVERS, luck)
    if not len(mine):
        return
    others, targets = _partners(filling, row, luck)
    theirs = np.where((others == NOWHERE)[:, None], 0.0, problem.demand[others])
    shift = problem.demand[mine][:, None, :] - theirs[None, :, :]  # (mine, others, r): what `row` is rid of
    change = _excess(filling.free[row] + filling.slack[row] + shift, weights)
    room = filling.free[targets] + filling.slack[targets]
    change += _excess(room[None, :, :] - shift, weights) - _excess(room, weights)
    change -= _excess(filling.free[row] + filling.slack[row], weights)
    change += HOMESICK * _moving(problem, mine, others, row, targets)
    for _ in range(min(TRIED, change.size)):
        i, j = np.unravel_index(
            np.argmin(change), change.shape
        )  # the first of equals; the next is hardly ever asked for
        if change[i, j] >= 0 and luck.random() > WANDER:
            return
        if _swapped(filling, int(mine[i]), int(others[j]), row, int(targets[j])):
            return
        change[i, j] = np.inf


def _some(rows: IntArray, most: int, luck: np.random.Generator) -> IntArray:
    return rows if len(rows) <= most else np.sort(luck.choice(rows, most, replace=False))


def _partners(filling: Filling, row: int, luck: np.random.Generator) -> tuple[IntArray, IntArray]:
    """(items, their bins): items of other bins, and each other bin with no item (NOWHERE)."""
    problem = filling.problem
    away = _some(
        np.flatnonzero((filling.place != row) & (filling.place != NOWHERE) & (problem.pinned == NOWHERE)),
        PARTNERS,
        luck,
    )
    bins = np.flatnonzero(filling.usable)
    bins = _some(bins[bins != row], PARTNERS, luck)
    return np.concatenate([away, np.full(len(bins), NOWHERE)]), np.concatenate([filling.place[away], bins])


def _moving(problem: Problem, mine: IntArray, others: IntArray, row: int, targets: IntArray) -> FloatArray:
    """(mine, others) what more is paid for moving after the exchange."""

    def cost(items: IntArray, rows: IntArray | int) -> FloatArray:
        home = problem.present[items]
        return np.where((items != NOWHERE) & (home != NOWHERE) & (home != rows), problem.move_cost[items], 0.0)

    gone = cost(mine[:, None], targets[None, :]) - cost(mine, row)[:, None]
    return np.asarray(gone + (cost(others, row) - cost(others, targets))[None, :])


def _swapped(filling: Filling, item: int, other: int, row: int, target: int) -> bool:
    filling.take(item)
    if other != NOWHERE:
        filling.take(other)
    if filling.allows(item)[target] and (other == NOWHERE or filling.allows(other)[row]):
        filling.put(item, target)
        if other != NOWHERE:
            filling.put(other, row)
        return True
    filling.put(item, row)
    if other != NOWHERE:
        filling.put(other, target)
    return False


def _leave(filling: Filling, weights: FloatArray) -> None:
    """Take out of each bin that is over the fewest, the least of them that suffices first."""
    problem = filling.problem
    for row in filling.overfull():
        while (filling.free[row] + filling.slack[row] < 0).any():
            items = filling.in_bin(int(row))
            free = items[problem.pinned[items] == NOWHERE]
            if not len(free):
                break
            left = _excess(filling.free[row] + problem.demand[free], weights)
            burden = problem.demand[free] @ weights
            filling.take(int(free[np.lexsort((burden, left))[0]]))
