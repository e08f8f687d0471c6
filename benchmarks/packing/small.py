"""Small packing problems and their optimum by trying everything: what the optimiser is held against where that is possible.

Shares nothing with the optimiser but the question. Slow on purpose: every partition of the items into groups, and every way to
give the groups a bin each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autoscaler.packing.problem import Problem

SIZES = 3


def small_problem(seed: int, most_items: int = 8) -> Problem:
    """Up to `most_items` items, three sizes, up to three present bins, with pins, pairs apart, tenants, closed and fixed bins."""
    luck = np.random.default_rng(seed)
    items, bins = int(luck.integers(1, most_items + 1)), int(luck.integers(0, 4))
    present = luck.integers(-1, bins, items) if bins else np.full(items, -1)
    pinned = np.where((luck.random(items) < 0.1) & (present >= 0), present, -1)
    pairs = luck.integers(0, items, (int(luck.integers(0, 3)), 2))
    return Problem(
        demand=luck.uniform(0.5, 4.0, (items, 2)).round(2),
        present=present.astype(np.int64),
        move_cost=luck.uniform(0.0, 0.5, items).round(3),
        bin_capacity=luck.choice([4.0, 8.0, 12.0], (bins, 2)),
        bin_price=luck.choice([1.0, 2.0, 3.0], bins),
        closed=luck.random(bins) < 0.15,
        fixed=luck.random(bins) < 0.15,
        size_capacity=np.array([[4.0, 4.0], [8.0, 6.0], [12.0, 16.0]]),
        size_price=np.array([1.0, 1.7, 2.9]),
        size_limit=luck.integers(0, 4, SIZES),
        pinned=pinned.astype(np.int64),
        tenant=np.where(luck.random(items) < 0.3, luck.integers(0, 2, items), -1).astype(np.int64),
        apart=pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int64),
    )


def partitions(items: int) -> Iterator[list[list[int]]]:
    """Every way to divide items 0..n-1 into groups."""

    def grow(item: int, groups: list[list[int]]) -> Iterator[list[list[int]]]:
        if item == items:
            yield [list(group) for group in groups]
            return
        for group in groups:
            group.append(item)
            yield from grow(item + 1, groups)
            group.pop()
        groups.append([item])
        yield from grow(item + 1, groups)
        groups.pop()

    yield from grow(0, [])


def cheapest(problem: Problem) -> float:
    """The least cost by trying everything; shares nothing with the optimiser but the question."""
    apart = {frozenset(pair) for pair in problem.apart.tolist()}
    best = np.inf
    for groups in partitions(problem.items):
        if all(together(problem, group, apart) for group in groups):
            base = sum(problem.bin_price[b] for b in range(problem.bins) if problem.fixed[b])
            best = min(best, seat(problem, groups, 0, frozenset(), (0, 0, 0), base, best))
    return best


def together(problem: Problem, group: list[int], apart: set[frozenset[int]]) -> bool:
    tenants = {problem.tenant[i] for i in group} - {-1}
    return len(tenants) <= 1 and not any(frozenset((i, j)) in apart for i in group for j in group if i < j)


def seat(
    problem: Problem,
    groups: list[list[int]],
    number: int,
    taken: frozenset[int],
    rented: tuple[int, ...],
    cost: float,
    best: float,
) -> float:
    """The least cost of giving groups[number:] each a present or a rented bin."""
    if cost >= best:
        return np.inf
    if number == len(groups):
        return cost
    group, least = groups[number], np.inf
    need = problem.demand[group].sum(axis=0)
    for row in set(range(problem.bins)) - taken:
        comers = [i for i in group if problem.present[i] != row]
        allowed = all(problem.pinned[i] in (-1, row) for i in group) and not (problem.closed[row] and comers)
        if allowed and (need <= problem.bin_capacity[row] + 1e-9).all():
            price = 0.0 if problem.fixed[row] else problem.bin_price[row]
            moving = sum(problem.move_cost[i] for i in comers if problem.present[i] != -1)
            least = min(least, seat(problem, groups, number + 1, taken | {row}, rented, cost + price + moving, best))
    if all(problem.pinned[i] == -1 for i in group):
        moving = sum(problem.move_cost[i] for i in group if problem.present[i] != -1)
        for size in range(SIZES):
            if rented[size] < problem.size_limit[size] and (need <= problem.size_capacity[size] + 1e-9).all():
                more = tuple(count + (s == size) for s, count in enumerate(rented))
                price = problem.size_price[size]
                least = min(least, seat(problem, groups, number + 1, taken, more, cost + price + moving, best))
    return least
