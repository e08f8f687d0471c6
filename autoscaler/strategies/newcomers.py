"""Which sizes are rented for replicas to come that fit nowhere: chosen for all of them together, not for each by itself.

Separate from the packing of everybody: these sizes are rented at once, whether or not moving the others pays, and so may not
count on it. How many replicas come is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoscaler.core.model import AppVM
from autoscaler.core.proposals import Proposal, ScaleOut
from autoscaler.core.snapshot import NOWHERE, Snapshot
from autoscaler.packing.problem import Packing, Problem
from autoscaler.packing.solve import Effort, solve


def with_sizes(
    snapshot: Snapshot,
    problem: Problem,
    coming: Sequence[tuple[AppVM, float]],
    wishes: Sequence[Proposal],
    effort: Effort,
    seed: int,
) -> list[Proposal]:
    """`wishes`, those for `coming` (the last items of `problem`) with the size to rent. Those that fit on what is there come
    first, then one rented cloud VM's after the other's, so that each is filled before the next is begun."""
    packing = solve(_alone(problem, len(coming)), effort, seed).packing if coming else None
    if packing is None:
        return list(wishes)
    mine, rest = dict[str, list[ScaleOut]](), list[Proposal]()
    waiting = Counter(app_vm.service for app_vm, _ in coming)
    for wish in wishes:
        if isinstance(wish, ScaleOut) and len(mine.setdefault(wish.service, [])) < waiting[wish.service]:
            mine[wish.service].append(wish)
        else:
            rest.append(wish)
    bins = np.maximum(packing.place, problem.bins - 1)  # whoever is on one that is there is among the first
    sized = list[Proposal]()
    for number in np.argsort(bins, kind="stable").tolist():
        size = _size(snapshot, packing, int(packing.place[number]) - problem.bins)
        sized.append(replace(mine[coming[number][0].service].pop(), new_size=size))
    return [*sized, *rest]


def _size(snapshot: Snapshot, packing: Packing, rented: int) -> str | None:
    """Of the rented cloud VM of this number; None where it is not one."""
    return snapshot.catalogue[int(packing.rented[rented])].name if rented >= 0 else None


def _alone(problem: Problem, coming: int) -> Problem:
    """Only who comes, and of each cloud VM what the others leave."""
    others, used = problem.items - coming, np.zeros_like(problem.bin_capacity)
    placed = problem.present != NOWHERE
    np.add.at(used, problem.present[placed], problem.demand[placed])
    both = problem.apart[(problem.apart >= others).all(axis=1)] - others
    return replace(
        problem,
        demand=problem.demand[others:],
        present=problem.present[others:],
        move_cost=problem.move_cost[others:],
        bin_capacity=np.maximum(problem.bin_capacity - used, 0.0),
        fixed=np.ones(problem.bins, dtype=np.bool_),
        pinned=problem.pinned[others:],
        tenant=problem.tenant[others:],
        apart=both,
    )
