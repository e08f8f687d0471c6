"""Is an answer right? Written against the question alone: it imports no other part of the optimiser, and shares no line.

Separate because whoever made a packing is the last one to be asked whether it holds. Item by item, plainly and slowly; for
the bound it solves a relaxation of its own with another interface (scipy's) and says whether that confirms the claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from autoscaler.packing.problem import Packing, Problem

TOLERANCE = 1e-6  # relative


@dataclass(frozen=True, slots=True)
class Verdict:
    """`faults`: what is wrong, empty = nothing. `own_bound`: the checker's own lower bound on every packing's cost."""

    faults: tuple[str, ...]
    objective: float
    own_bound: float


def check(problem: Problem, packing: Packing, objective: float, lower_bound: float) -> Verdict:
    """Check `packing`, the `objective` claimed for it and the `lower_bound` claimed for all."""
    faults = [*_rules(problem, packing), *_room(problem, packing)]
    cost = _cost(problem, packing)
    if abs(cost - objective) > TOLERANCE * max(1.0, abs(cost)):
        faults.append(f"it costs {cost:.6g}, not {objective:.6g}")
    own = _bound(problem)
    if lower_bound > cost * (1 + TOLERANCE):
        faults.append(f"the bound {lower_bound:.6g} is above what this packing costs, {cost:.6g}")
    return Verdict(tuple(faults), cost, own)


def _rules(problem: Problem, packing: Packing) -> Iterator[str]:
    yield from _rented(problem, packing)
    for item, row in enumerate(packing.place.tolist()):
        if not 0 <= row < problem.bins + len(packing.rented):
            yield f"item {item} is in no bin"
        if problem.pinned[item] not in (-1, row):
            yield f"item {item} is pinned to {problem.pinned[item]} and is in {row}"
        if row < problem.bins and problem.closed[row] and problem.present[item] != row:
            yield f"item {item} came to bin {row}, which is closed"
    yield from _company(problem, packing)


def _rented(problem: Problem, packing: Packing) -> Iterator[str]:
    for size, most in enumerate(problem.size_limit):
        rented = sum(1 for other in packing.rented if other == size)
        if rented > most:
            yield f"{rented} bins of size {size} are rented, {most} are allowed"


def _company(problem: Problem, packing: Packing) -> Iterator[str]:
    for one, other in problem.apart.tolist():
        if packing.place[one] == packing.place[other]:
            yield f"items {one} and {other} share bin {packing.place[one]} and must be apart"
    first: dict[int, int] = {}
    for item, row in enumerate(packing.place.tolist()):
        tenant = int(problem.tenant[item])
        if tenant != -1 and first.setdefault(row, tenant) != tenant:
            yield f"bin {row} is shared by tenants {first[row]} and {tenant}"


def _room(problem: Problem, packing: Packing) -> Iterator[str]:
    contents: dict[int, list[int]] = {}
    for item, row in enumerate(packing.place.tolist()):
        contents.setdefault(row, []).append(item)
    for row, items in sorted(contents.items()):
        offered = (
            problem.bin_capacity[row]
            if row < problem.bins
            else problem.size_capacity[packing.rented[row - problem.bins]]
        )
        for resource in range(problem.demand.shape[1]):
            wanted = float(sum(problem.demand[item, resource] for item in items))
            if wanted > offered[resource] * (1 + TOLERANCE):
                yield f"bin {row} holds {wanted:.6g} of resource {resource} and has {offered[resource]:.6g}"


def _cost(problem: Problem, packing: Packing) -> float:
    used = set(packing.place.tolist())
    total = 0.0
    for row in range(problem.bins):
        if row in used or problem.fixed[row]:
            total += float(problem.bin_price[row])
    for size in packing.rented.tolist():
        total += float(problem.size_price[size])
    for item in range(problem.items):
        if problem.present[item] != -1 and packing.place[item] != problem.present[item]:
            total += float(problem.move_cost[item])
    return total


def _bound(problem: Problem) -> float:
    """Whole bins against the demand's sums, with each item free to leave or stay: weaker than the optimiser's, and its own.

    Variables: keep (b), rent (s), leave (n, as fractions). An item of a bin that is given up leaves.
    """
    bins, sizes, items = problem.bins, len(problem.size_price), problem.items
    homes = problem.present
    cost = np.concatenate([problem.bin_price, problem.size_price, np.where(homes >= 0, problem.move_cost, 0.0)])
    sums = np.concatenate([problem.bin_capacity, problem.size_capacity, np.zeros((items, problem.demand.shape[1]))]).T
    rows = [LinearConstraint(sums, problem.demand.sum(axis=0), np.inf)]
    at_home = np.flatnonzero(homes >= 0)
    if len(at_home):
        leaving = np.zeros((len(at_home), len(cost)))
        leaving[np.arange(len(at_home)), homes[at_home]] = 1.0
        leaving[np.arange(len(at_home)), bins + sizes + at_home] = 1.0
        rows.append(LinearConstraint(leaving, 1.0, np.inf))
    held = set(problem.pinned[problem.pinned >= 0].tolist())
    least = np.zeros(len(cost))
    least[:bins] = [float(problem.fixed[row] or row in held) for row in range(bins)]
    most = np.concatenate([np.ones(bins), problem.size_limit.astype(float), np.ones(items)])
    whole = np.concatenate([np.ones(bins + sizes), np.zeros(items)])
    answer = milp(cost, constraints=rows, integrality=whole, bounds=Bounds(least, most), options={"node_limit": 2000})
    if answer.status == 2:
        return float("inf")
    return float(answer.mip_dual_bound) if answer.mip_dual_bound is not None else 0.0
