"""What each of the six actions would do: a proposal becomes an effect, or the reason why it makes no sense now.

One rule per action; a new kind of action adds one. A rule completes what the proposal leaves open (where a new replica
starts, the ids of what is created) and refuses what cannot be carried out as wished. It never improves a wish.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from autoscaler.core.decision import Denial
from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.policy import Limits
from autoscaler.core.projection import Projection
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate

FEASIBLE = "feasible"


class Mint:
    """Ids for what a decision creates: unique because the decision's number is, and the same on every re-execution."""

    def __init__(self, number: str) -> None:
        self._number, self._next = number, 0

    def __call__(self, stem: str) -> str:
        self._next += 1
        return f"{stem}-{self._number}-{self._next}"


@singledispatch
def expand(proposal: Proposal, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    """The effect of `proposal` on the cluster as `view` has it, or why there is none."""
    del view, limits, mint
    raise TypeError(f"no rule for {type(proposal).__name__}: an action needs one in core/expand.py")


@expand.register
def _(proposal: ScaleOut, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    index = view.snapshot.inventory.service_index.get(proposal.service)
    if index is None:
        return _unknown("service", proposal.service)
    service = view.snapshot.services[index]
    app_vm = replace(service.template, id=mint(service.id), service=service.id)
    if proposal.target is not None:
        if proposal.target not in view.row_of:
            return _unknown("cloud VM", proposal.target)
        return Effect(starts=(Arrival(app_vm, proposal.target),))
    row = best_fit(view, app_vm, limits)
    if row is not None:
        return Effect(starts=(Arrival(app_vm, view.cloud_vms[row].id),))
    size = cheapest_size(view, app_vm, limits)
    if size is None:
        biggest = max((s.memory_bytes for s in view.snapshot.catalogue), default=0)
        return Denial(
            FEASIBLE,
            f"no cloud VM has room for a replica of {service.id} and no size of the catalogue holds one",
            {"memory_bytes": app_vm.memory_bytes, "biggest_size_memory_bytes": biggest, "cores": app_vm.cores},
            "a bigger size in the catalogue, or a smaller template",
        )
    created = CloudVM(mint("cloud"), size, CloudVMState.ACTIVE)
    return Effect(creates=(created,), starts=(Arrival(app_vm, created.id),))


@expand.register
def _(proposal: ScaleIn, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits, mint
    app_row = view.snapshot.inventory.app_row.get(proposal.app_vm)
    if app_row is None or view.snapshot.app_vms[app_row].service != proposal.service:
        return _unknown(f"app VM of {proposal.service}", proposal.app_vm)
    return Effect(stops=(proposal.app_vm,))


@expand.register(ScaleUp)
@expand.register(ScaleDown)
def _(proposal: ScaleUp | ScaleDown, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits
    size = view.snapshot.inventory.sizes.get(proposal.size)
    if size is None:
        return _unknown("size", proposal.size)
    if proposal.cloud_vm not in view.row_of:
        return _unknown("cloud VM", proposal.cloud_vm)
    created = CloudVM(mint("cloud"), size, CloudVMState.ACTIVE)
    leaving = view.residents(view.row_of[proposal.cloud_vm])
    moves = tuple(Relocation(app_vm.id, proposal.cloud_vm, created.id) for app_vm in leaving)
    return Effect(creates=(created,), moves=moves, releases=(proposal.cloud_vm,))


@expand.register
def _(proposal: Consolidate, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits, mint
    moves = _moves(proposal.moves, proposal.cloud_vm, view, None)
    if isinstance(moves, Denial):
        return moves
    going = {move.app_vm for move in moves}
    left = [app_vm.id for app_vm in view.residents(view.row_of[proposal.cloud_vm]) if app_vm.id not in going]
    if left:
        return Denial(FEASIBLE, f"{proposal.cloud_vm} would not be empty: {left[0]} stays", {"left_behind": len(left)})
    return Effect(moves=moves, releases=(proposal.cloud_vm,))


@expand.register
def _(proposal: Separate, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits
    created: CloudVM | None = None
    if proposal.new_size is not None:
        size = view.snapshot.inventory.sizes.get(proposal.new_size)
        if size is None:
            return _unknown("size", proposal.new_size)
        created = CloudVM(mint("cloud"), size, CloudVMState.ACTIVE)
    moves = _moves(proposal.moves, proposal.cloud_vm, view, created)
    if isinstance(moves, Denial):
        return moves
    return Effect(creates=() if created is None else (created,), moves=moves)


def best_fit(view: Projection, app_vm: AppVM, limits: Limits) -> int | None:
    """Row of the fullest cloud VM that holds `app_vm` under headroom, by CPU left; None where none does."""
    expected = view.expected_cpu(app_vm)
    cpu_left = view.cores * (1 - limits.cpu_headroom_fraction) - view.cpu_used - expected
    memory_left = view.memory_bytes * (1 - limits.memory_headroom_fraction) - view.memory_allocated_bytes
    room = view.usable & (cpu_left >= 0) & (memory_left >= app_vm.memory_bytes)
    room &= view.cpu_allocated + app_vm.cores <= view.cores * limits.cpu_overcommit
    for row in np.argsort(np.where(room, cpu_left, np.inf), kind="stable"):
        if not room[row]:
            return None
        if app_vm.pinned_to in ("", view.cloud_vms[row].id) and not clash(app_vm, view.residents(int(row))):
            return int(row)
    return None


def cheapest_size(view: Projection, app_vm: AppVM, limits: Limits) -> CloudVMSize | None:
    """The cheapest size whose empty cloud VM holds `app_vm` under headroom; None where none does or it is pinned."""
    if app_vm.pinned_to:
        return None
    expected = view.expected_cpu(app_vm)
    holds = [
        size
        for size in view.snapshot.catalogue
        if size.memory_bytes * (1 - limits.memory_headroom_fraction) >= app_vm.memory_bytes
        and size.cores * (1 - limits.cpu_headroom_fraction) >= expected
        and size.cores * limits.cpu_overcommit >= app_vm.cores
    ]
    return min(holds, key=lambda size: size.price_per_hour, default=None)


def clash(app_vm: AppVM, residents: list[AppVM]) -> AppVM | None:
    """The first resident that may not share a cloud VM with `app_vm`, by either one's word."""
    for other in residents:
        if other.id != app_vm.id and (_apart(app_vm, other) or _apart(other, app_vm)):
            return other
    return None


def _apart(one: AppVM, other: AppVM) -> bool:
    return other.id in one.apart_from or (other.service != "" and other.service in one.apart_from)


def _moves(
    wished: tuple[Move, ...], source: str, view: Projection, created: CloudVM | None
) -> tuple[Relocation, ...] | Denial:
    if source not in view.row_of:
        return _unknown("cloud VM", source)
    here = {app_vm.id for app_vm in view.residents(view.row_of[source])}
    moves = []
    for move in wished:
        target = move.target if move.target is not None else created.id if created else None
        if target is None or (target not in view.row_of and (created is None or target != created.id)):
            return _unknown("cloud VM", str(move.target))
        if move.app_vm not in here:
            return Denial(FEASIBLE, f"{move.app_vm} is not on {source}")
        if target == source:
            return Denial(FEASIBLE, f"{move.app_vm} is on {source} already")
        moves.append(Relocation(move.app_vm, source, target))
    return tuple(moves)


def _unknown(kind: str, name: str) -> Denial:
    return Denial(FEASIBLE, f"there is no {kind} {name}")
