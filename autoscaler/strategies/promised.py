"""What wishes come to, if all of them are carried out: a certificate of the whole packing is on nothing less.

Separate because a packing may take more than one tick's wishes (one investment at a time; nobody can be sent to a cloud VM that
is not rented yet): what is proved of all of it is not true of a part. Reckoned from the wishes, not from the packing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

from autoscaler.core.proposals import Consolidate, Proposal, ScaleDown, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Certificate
from autoscaler.strategies.question import Question


def kept_promise(
    snapshot: Snapshot, question: Question, wishes: Sequence[Proposal], certificate: Certificate | None
) -> Certificate | None:
    """The certificate, where `wishes` come to what it says; None: they are a part of what it is about."""
    if certificate is None:
        return None
    whole = isclose(comes_to(snapshot, question, wishes), certificate.objective, rel_tol=1e-9, abs_tol=1e-12)
    return certificate if whole else None


def comes_to(snapshot: Snapshot, question: Question, wishes: Sequence[Proposal]) -> float:
    """Price of all cloud VMs over the horizon after `wishes`, and of the moves for it."""
    problem, rows = question.problem, snapshot.inventory.cloud_row
    item_of = {int(row): item for item, row in enumerate(question.rows) if row >= 0}
    price = dict(enumerate(problem.bin_price.tolist()))
    sizes = {size.name: float(cost) for size, cost in zip(snapshot.catalogue, problem.size_price, strict=True)}
    rented, moved = 0.0, set[int]()
    for wish in wishes:
        if isinstance(wish, ScaleUp | ScaleDown):
            rented += sizes[wish.size]
            moved.update(problem.residents[rows[wish.cloud_vm]].tolist())
        elif isinstance(wish, Consolidate | Separate):
            moved.update(item_of[snapshot.inventory.app_row[move.app_vm]] for move in wish.moves)
            rented += sizes[wish.new_size] if isinstance(wish, Separate) and wish.new_size else 0.0
        if isinstance(wish, ScaleUp | ScaleDown | Consolidate):
            price.pop(rows[wish.cloud_vm], None)
    return float(sum(price.values()) + rented + problem.move_cost[sorted(moved)].sum())
