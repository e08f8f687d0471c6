"""Is an answer right? Written against the question alone: it imports no other part of the optimiser, and shares no line.

Separate because whoever made a packing is the last one to be asked whether it holds. Item by item, plainly and slowly. The bound
is whatever the proof handed in with it proves (proof_checker), or for a handful of items what trying everything finds
(exhaustion): neither solves anything, nor trusts whoever did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.packing import exhaustion, proof_checker
from autoscaler.packing.problem import Packing, Problem
from autoscaler.packing.proof import Proof

TOLERANCE = 1e-9  # relative, of sums of money
ROUNDED = 1e-12  # relative: sums of floats in another order
SLACK = 2e-9  # relative: by so much more than its capacity a bin may hold; as in proof_checker


@dataclass(frozen=True, slots=True)
class Verdict:
    """`faults`: what is wrong, empty = nothing. `own_bound`: the lower bound on every packing's cost that the checker stands for.
    `confirmed`: the claimed bound is not above that."""

    faults: tuple[str, ...]
    objective: float
    own_bound: float
    confirmed: bool


def check(
    problem: Problem, packing: Packing, objective: float, lower_bound: float, proof: Proof | None = None
) -> Verdict:
    """Check `packing`, the `objective` claimed for it, and the `lower_bound` claimed for all with its `proof`."""
    if packing.place.shape != (problem.items,):
        raise ValueError(f"a packing of {packing.place.shape} items for a problem of {problem.items}")
    faults = [*_rules(problem, packing), *_room(problem, packing)]
    cost = _cost(problem, packing)
    if abs(cost - objective) > TOLERANCE * max(1.0, abs(cost)):
        faults.append(f"it costs {cost:.6g}, not {objective:.6g}")
    if lower_bound > cost * (1 + TOLERANCE):
        faults.append(f"the bound {lower_bound:.6g} is above what this packing costs, {cost:.6g}")
    own = 0.0
    try:
        own = _bound(problem, proof)
    except ValueError as error:
        faults.append(f"the proof of the bound is none: {error}")
    return Verdict(tuple(faults), cost, own, lower_bound <= own)


def _bound(problem: Problem, proof: Proof | None) -> float:
    """The best lower bound that is sure; of many items, without proof, nothing is."""
    proved = 0.0 if proof is None else float(proof_checker.proved(problem, proof))
    if problem.items > exhaustion.MOST_ITEMS:
        return max(0.0, proved)
    return max(0.0, proved, exhaustion.least_cost(problem) * (1 - ROUNDED))


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
            if wanted > offered[resource] * (1 + SLACK):
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
