"""The relaxation behind the lower bound: all capacity kept and rented in one pool, against all demand, row by row.

Separate because everything here must hold for every packing: what is dropped (that an item sits in one bin) can only make
it cheaper. Two kinds of row: a resource's sum, and for sets of large items their count against how many of them a bin can
hold at most (a cover inequality), which is what matters when items are large beside bins. No search may be here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, FloatArray, IntArray
from autoscaler.packing.problem import Problem

OVERFULL = 3e-9  # relative; what bins may hold more than they have, and some (problem.ROUNDING; checkers grant 2e-9)
THRESHOLDS = 8  # sets of large items per resource


@dataclass(frozen=True, eq=False)
class Relaxation:
    """resource, at_least: (q,) what the rows are about, as in `Proof`. need: (q,) demand of the rows. bin_gives: (b, q),
    size_gives: (s, q). keep_cost, leave_cost: (b,) of keeping a present bin and of giving it up (inf: cannot be given up).
    size_most: (s,) that may be rented."""

    resource: IntArray
    at_least: FloatArray
    need: FloatArray
    bin_gives: FloatArray
    size_gives: FloatArray
    size_price: FloatArray
    size_most: IntArray
    keep_cost: FloatArray
    leave_cost: FloatArray


def relax(problem: Problem) -> Relaxation:
    """The relaxation of `problem`."""
    stuck = problem.fixed | np.isin(np.arange(problem.bins), problem.pinned[problem.pinned != NOWHERE])
    here = problem.present != NOWHERE
    leave_cost = np.bincount(problem.present[here], weights=problem.move_cost[here], minlength=problem.bins)
    counts = _counts(problem)
    rows = [_sums(problem), *(row for _, _, row in counts)]
    resources = range(problem.demand.shape[1])
    return Relaxation(
        resource=np.array([*resources, *(resource for resource, _, _ in counts)], dtype=np.int64),
        at_least=np.array([*(0.0 for _ in resources), *(threshold for _, threshold, _ in counts)]),
        need=np.concatenate([row[0] for row in rows]),
        bin_gives=np.concatenate([row[1] for row in rows], axis=1),
        size_gives=np.concatenate([row[2] for row in rows], axis=1),
        size_price=problem.size_price,
        size_most=np.minimum(problem.size_limit, problem.items),
        keep_cost=problem.bin_price + _shed_cost(problem),
        leave_cost=np.where(stuck, np.inf, leave_cost),
    )


Row = tuple[FloatArray, FloatArray, FloatArray]


def _sums(problem: Problem) -> Row:
    """Each resource's demand against capacity; a closed bin gives no more than its own items use."""
    own = np.zeros((problem.bins, problem.demand.shape[1]))
    here = problem.present != NOWHERE
    np.add.at(own, problem.present[here], problem.demand[here])
    gives = np.where(problem.closed[:, None], np.minimum(own, problem.bin_capacity), problem.bin_capacity)
    return problem.demand.sum(axis=0), gives, problem.size_capacity


def _counts(problem: Problem) -> list[tuple[int, float, Row]]:
    """For sets of the largest items by each resource (that, and from where on): how many, and how many a bin can hold."""
    rows = []
    for resource in range(problem.demand.shape[1]):
        amounts = problem.demand[:, resource]
        biggest = max(
            problem.size_capacity[:, resource].max(initial=0.0), problem.bin_capacity[:, resource].max(initial=0.0)
        )
        for threshold in np.unique(np.quantile(amounts, np.linspace(0.0, 0.95, THRESHOLDS))) if len(amounts) else ():
            large = np.sort(amounts[amounts >= threshold])
            if threshold <= 0 or biggest / threshold > len(large):
                continue  # one bin could hold them all: the sum says more
            taken = np.cumsum(large)
            holds = [
                np.searchsorted(taken, c[:, resource] * (1 + OVERFULL), "right")
                for c in (problem.bin_capacity, problem.size_capacity)
            ]
            row = np.array([float(len(large))]), holds[0][:, None].astype(float), holds[1][:, None].astype(float)
            rows.append((resource, float(threshold), row))
    return rows


def _shed_cost(problem: Problem) -> FloatArray:
    """(b,) the least it costs to move enough items out of a bin that holds more than it can, in fractions of items."""
    cost = np.zeros(problem.bins)
    for row, items in enumerate(problem.residents):
        excess = problem.demand[items].sum(axis=0) - problem.bin_capacity[row] * (1 + OVERFULL)
        for resource in np.flatnonzero(excess > 0):
            cost[row] = max(
                cost[row], _cheapest(problem.move_cost[items], problem.demand[items, resource], excess[resource])
            )
    return cost


def _cheapest(costs: FloatArray, amounts: FloatArray, wanted: float) -> float:
    """Fractional knapsack: the least cost of amounts that come to `wanted`."""
    useful = amounts > 0
    costs, amounts = costs[useful], amounts[useful]
    order = np.argsort(costs / amounts, kind="stable")
    taken = np.cumsum(amounts[order])
    full = int(np.searchsorted(taken, wanted, "left"))
    total = float(costs[order[:full]].sum())
    before = float(taken[full - 1]) if full else 0.0
    return total + float(costs[order[full]] / amounts[order[full]] * (wanted - before)) if full < len(order) else total
