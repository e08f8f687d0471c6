"""Is an answer right? Written against the question alone: it imports no other part of the optimiser, and shares no line.

Separate because whoever made a packing is the last one to be asked whether it holds. Item by item, plainly and slowly; for
the bound it solves a relaxation of its own, item by item where the optimiser's is bin by bin (the solver, HiGHS, is the same:
there is no second one of its kind), and says whether that confirms the claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from autoscaler.core.snapshot import BoolArray, FloatArray
from autoscaler.packing.problem import Packing, Problem

TOLERANCE = 1e-6  # relative
SLACK = 1e-9  # relative: by so much more than its capacity a bin may hold
LEVELS = 40  # sets of large items per resource
BRANCHES = 500  # of branch and bound: a bound at any number
Row = tuple[csr_array, FloatArray]  # coefficients, and the level that they reach at least


@dataclass(frozen=True, slots=True)
class Verdict:
    """`faults`: what is wrong, empty = nothing. `own_bound`: the checker's own lower bound on every packing's cost.
    `confirmed`: the claimed bound is not above that; where it is (an optimum found by exhaustion), only `own_bound` is sure."""

    faults: tuple[str, ...]
    objective: float
    own_bound: float
    confirmed: bool


def check(problem: Problem, packing: Packing, objective: float, lower_bound: float) -> Verdict:
    """Check `packing`, the `objective` claimed for it and the `lower_bound` claimed for all."""
    if packing.place.shape != (problem.items,):
        raise ValueError(f"a packing of {packing.place.shape} items for a problem of {problem.items}")
    faults = [*_rules(problem, packing), *_room(problem, packing)]
    cost = _cost(problem, packing)
    if abs(cost - objective) > TOLERANCE * max(1.0, abs(cost)):
        faults.append(f"it costs {cost:.6g}, not {objective:.6g}")
    own = _bound(problem)
    if lower_bound > cost * (1 + TOLERANCE):
        faults.append(f"the bound {lower_bound:.6g} is above what this packing costs, {cost:.6g}")
    return Verdict(tuple(faults), cost, own, lower_bound <= own * (1 + TOLERANCE) + TOLERANCE)


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
        if not 0 <= row < problem.bins + len(packing.rented):
            continue  # said already: in no bin
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
    """Whole bins against sums and counts, with each item free to leave or stay in fractions. Variables: keep (b), rent (s),
    leave (n): item i stays at home to the share 1 - leave[i], an item that is nowhere has left."""
    bins, sizes = problem.bins, len(problem.size_price)
    at_home = problem.present >= 0
    cost = np.concatenate([problem.bin_price, problem.size_price, np.where(at_home, problem.move_cost, 0.0)])
    least = np.zeros(len(cost))
    least[np.flatnonzero(problem.fixed)] = 1.0
    least[problem.pinned[problem.pinned >= 0]] = 1.0
    least[bins + sizes + np.flatnonzero(~at_home)] = 1.0
    most = np.concatenate([np.ones(bins), problem.size_limit.astype(float), np.ones(problem.items)])
    whole = np.arange(len(cost)) < bins + sizes
    rows = [*_pooled(problem), *_at_home(problem), *_counted(problem)]
    return _least_cost(cost, (least, most), whole, rows)


def _least_cost(cost: FloatArray, limits: tuple[FloatArray, FloatArray], whole: BoolArray, rows: list[Row]) -> float:
    """A lower bound of cost @ x, x within `limits`, in whole numbers where `whole`, every row at least its level."""
    matrix, level = vstack([row for row, _ in rows], format="csr"), np.concatenate([level for _, level in rows])
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(level)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, *limits
    model.row_lower_, model.row_upper_ = level, np.full(len(level), highspy.kHighsInf)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[int(flag)] for flag in whole]
    solver = highspy._core._Highs()  # noqa: SLF001  the public one writes a banner before it can be silenced
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("mip_max_nodes", BRANCHES),
        ("mip_rel_gap", TOLERANCE),
    ):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return float("inf")
    bound = float(solver.getInfo().mip_dual_bound)
    return max(0.0, bound) if np.isfinite(bound) else 0.0


def _scaled(problem: Problem) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Demand and capacities in shares of the biggest bin: bytes beside cores are too far apart for a solver's tolerances."""
    parts = (problem.demand, problem.bin_capacity, problem.size_capacity)
    biggest = np.maximum(np.concatenate(parts).max(axis=0, initial=0.0), 1e-300)
    return parts[0] / biggest, parts[1] / biggest, parts[2] / biggest


def _pooled(problem: Problem) -> Iterator[Row]:
    """Open bins, what stays in closed ones, and rented bins offer all that is demanded."""
    demand, bin_capacity, size_capacity = _scaled(problem)
    homes, total = problem.present, demand.sum(axis=0)
    inside = (homes >= 0) & problem.closed[homes] if problem.bins else np.zeros(problem.items, dtype=np.bool_)
    for resource, wanted in enumerate(total):
        stays = np.where(inside, demand[:, resource], 0.0)
        offered = np.where(problem.closed, 0.0, bin_capacity[:, resource])
        row = np.concatenate([offered, size_capacity[:, resource], -stays])
        yield csr_array(row[None, :]), np.array([wanted * (1 - SLACK) - stays.sum()])


def _at_home(problem: Problem) -> Iterator[Row]:
    """Who stays does so in a bin that is kept, and together they fit into it."""
    items = np.flatnonzero(problem.present >= 0)
    if not len(items):
        return
    homes, leave = problem.present[items], problem.bins + len(problem.size_price) + items
    columns = problem.bins + len(problem.size_price) + problem.items
    each, ones = np.arange(len(items)), np.ones(len(items))
    stays = coo_array(
        (np.concatenate([ones, ones]), (np.concatenate([each, each]), np.concatenate([homes, leave]))),
        (len(items), columns),
    )
    yield stays.tocsr(), ones
    demand, bin_capacity, _ = _scaled(problem)
    for resource in range(demand.shape[1]):
        amounts = demand[items, resource]
        room = (
            np.concatenate([bin_capacity[:, resource] * (1 + SLACK), amounts]),
            (np.concatenate([np.arange(problem.bins), homes]), np.concatenate([np.arange(problem.bins), leave])),
        )
        present = np.bincount(homes, weights=amounts, minlength=problem.bins)
        yield coo_array(room, (problem.bins, columns)).tocsr(), np.asarray(present * (1 - SLACK), dtype=np.float64)


def _counted(problem: Problem) -> Iterator[Row]:
    """Of the items that take at least so much of a resource, a bin holds only so many."""
    offered = np.concatenate([problem.bin_capacity, problem.size_capacity])
    for resource in range(problem.demand.shape[1] if problem.items else 0):
        amounts = np.sort(problem.demand[:, resource])
        for level in np.unique(amounts[np.linspace(0, problem.items - 1, LEVELS).astype(np.int64)]):
            large = amounts[amounts >= level]
            sums = np.concatenate([[0.0], np.cumsum(large)])
            holds = [float((sums <= limit * (1 + SLACK)).sum() - 1) for limit in offered[:, resource]]
            if level > 0 and max(holds, default=0.0) < len(large):
                row = np.concatenate([holds, np.zeros(problem.items)])
                yield csr_array(row[None, :]), np.array([float(len(large))])
