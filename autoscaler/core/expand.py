"""What each of the six actions would do: a proposal becomes an effect, or the reason why it makes no sense now.

One rule per action; a new kind of action adds one. A rule completes what the proposal leaves open (where a new replica
starts, the ids of what is created) and refuses what cannot be carried out as wished. It never improves a wish.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch

import numpy as np

from autoscaler.core.decision import Denial
from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.policy import Limits
from autoscaler.core.projection import Projection
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import NOWHERE, Inventory

FEASIBLE = "feasible"


class Mint:
    """Ids for what a decision creates: unique because the decision's number is, and the same on every re-execution. What
    exists under such a name already (somebody's choice, or an older journal's) is passed over."""

    def __init__(self, number: str, inventory: Inventory) -> None:
        self._number, self._next, self._inventory = number, 0, inventory

    def __call__(self, stem: str) -> str:
        self._next += 1
        name = f"{stem}-{self._number}-{self._next}"
        known = name in self._inventory.app_row or name in self._inventory.cloud_row
        return self(stem) if known else name


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
    holding = holding_sizes(view, app_vm, limits)
    size = next((size for size in holding if size.name == proposal.new_size), None) or cheapest(holding)
    if size is None:
        return _nowhere(view, app_vm)
    created = CloudVM(mint("cloud"), size, CloudVMState.ACTIVE)
    return Effect(creates=(created,), starts=(Arrival(app_vm, created.id),))


@expand.register
def _(proposal: ScaleIn, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits, mint
    inventory = view.snapshot.inventory
    if proposal.service not in inventory.service_index:
        return _unknown("service", proposal.service)
    app_row = inventory.app_row.get(proposal.app_vm)
    if app_row is None or view.snapshot.app_vms[app_row].service != proposal.service:
        return _unknown(f"app VM of {proposal.service}", proposal.app_vm)
    if view.place(proposal.app_vm) == NOWHERE:
        return Denial(FEASIBLE, f"{proposal.app_vm} does not run", relax="an app VM that runs")
    return Effect(stops=(proposal.app_vm,))


@expand.register(ScaleUp)
@expand.register(ScaleDown)
def _(proposal: ScaleUp | ScaleDown, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits
    size = view.snapshot.inventory.sizes.get(proposal.size)
    if size is None:
        return _unknown("size", proposal.size)
    leaving = _leaving(proposal.cloud_vm, view)
    if isinstance(leaving, Denial):
        return leaving
    bigger, smaller = _compared(size, view.cloud_vms[view.row_of[proposal.cloud_vm]].size)
    if not (smaller if proposal.action.saves_money else bigger):
        return _not_that_way(proposal, size, view)
    created = CloudVM(mint("cloud"), size, CloudVMState.ACTIVE)
    moves = tuple(Relocation(app_vm, proposal.cloud_vm, created.id) for app_vm in leaving)
    return Effect(creates=(created,), moves=moves, releases=(proposal.cloud_vm,))


@expand.register
def _(proposal: Consolidate, view: Projection, limits: Limits, mint: Mint) -> Effect | Denial:
    del limits, mint
    moves: tuple[Relocation, ...] = ()
    for source, wished in _by_source(proposal, view).items():  # those of others make room
        some = _moves(wished, source, view, None)
        if isinstance(some, Denial):
            return some
        moves += some
    going = {move.app_vm for move in moves}
    left = [a.id for a in view.residents(view.row_of[proposal.cloud_vm]) if a.id not in going]
    if left:
        reason = f"{proposal.cloud_vm} would not be empty: {left[0]} stays"
        return Denial(FEASIBLE, reason, {"left_behind": len(left)}, f"a move for {left[0]}")
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
    if not moves or (created is not None and all(move.target != created.id for move in moves)):
        what = "the new cloud VM would stay empty" if moves else "nobody would move"
        return Denial(FEASIBLE, what, {"moves": len(moves)}, "a move to it" if moves else "a move")
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
        if app_vm.pinned_to in ("", view.cloud_vms[row].id) and not clash(
            app_vm, view.neighbours(int(row)), limits.isolate
        ):
            return int(row)
    return None


def holding_sizes(view: Projection, app_vm: AppVM, limits: Limits) -> list[CloudVMSize]:
    """The sizes whose empty cloud VM holds `app_vm` under headroom; none where it is pinned."""
    if app_vm.pinned_to:
        return []
    expected = view.expected_cpu(app_vm)
    return [
        size
        for size in view.snapshot.catalogue
        if size.memory_bytes * (1 - limits.memory_headroom_fraction) >= app_vm.memory_bytes
        and size.cores * (1 - limits.cpu_headroom_fraction) >= expected
        and size.cores * limits.cpu_overcommit >= app_vm.cores
    ]


def cheapest(sizes: list[CloudVMSize]) -> CloudVMSize | None:
    return min(sizes, key=lambda size: size.price_per_hour, default=None)


def clash(app_vm: AppVM, residents: list[AppVM], isolate: str = "") -> AppVM | None:
    """The first resident that may not share a cloud VM with `app_vm`: another tenant by the label `isolate`, or by either
    one's word."""
    stranger = other_tenant(app_vm, residents, isolate)
    if stranger is not None:
        return stranger
    mine = app_vm.apart_from
    for other in residents:  # most have nobody to stay apart from: asked of every pair on every cloud VM
        if (mine or other.apart_from) and other.id != app_vm.id and (_apart(app_vm, other) or _apart(other, app_vm)):
            return other
    return None


def other_tenant(app_vm: AppVM, residents: Iterable[AppVM], isolate: str) -> AppVM | None:
    """The first of `residents` whose label `isolate` says otherwise than `app_vm`'s; those without it are one tenant."""
    if not isolate:
        return None
    mine = app_vm.label(isolate)
    return next((other for other in residents if other.id != app_vm.id and other.label(isolate) != mine), None)


def _apart(one: AppVM, other: AppVM) -> bool:
    return other.id in one.apart_from or (other.service != "" and other.service in one.apart_from)


def _leaving(cloud_vm: str, view: Projection) -> tuple[str, ...] | Denial:
    """The app VMs on `cloud_vm`, or why nobody can be moved off it as things are."""
    row = view.row_of.get(cloud_vm)
    if row is None or view.cloud_vms[row].state is CloudVMState.GONE:
        return _unknown("cloud VM", cloud_vm)
    if view.cloud_vms[row].state is CloudVMState.STARTING:
        return Denial(FEASIBLE, f"{cloud_vm} is still starting", relax="the end of its start-up")
    if cloud_vm in view.released:
        return Denial(FEASIBLE, f"{cloud_vm} is released by this decision already", relax="another cloud VM")
    here = view.residents(row)
    newcomers = [app_vm.id for app_vm in here if app_vm.id not in view.snapshot.inventory.app_row]
    if newcomers:
        reason = f"{newcomers[0]} is started on {cloud_vm} by this decision"
        return Denial(FEASIBLE, reason, {"newcomers": len(newcomers)}, "the next decision")
    return tuple(app_vm.id for app_vm in here)


def _by_source(proposal: Consolidate, view: Projection) -> dict[str, tuple[Move, ...]]:
    """The moves by the cloud VM that each begins on; who is on none, or not known, counts as one of the proposal's own."""
    known, moves = view.snapshot.inventory.app_row, dict[str, tuple[Move, ...]]()
    for move in proposal.moves:
        place = view.place(move.app_vm) if move.app_vm in known else NOWHERE
        source = proposal.cloud_vm if place == NOWHERE else view.cloud_vms[place].id
        moves[source] = (*moves.get(source, ()), move)
    return moves or {proposal.cloud_vm: ()}


def _moves(
    wished: tuple[Move, ...], source: str, view: Projection, created: CloudVM | None
) -> tuple[Relocation, ...] | Denial:
    leaving = _leaving(source, view)
    if isinstance(leaving, Denial):
        return leaving
    here = set(leaving)
    moves = []
    for move in wished:
        target = move.target if move.target is not None else created.id if created else None
        if target is None:
            return Denial(
                FEASIBLE, f"no target is named for {move.app_vm}", relax="a target, or a size for a new cloud VM"
            )
        if target not in view.row_of and (created is None or target != created.id):
            return _unknown("cloud VM", target)
        if move.app_vm not in here:
            return Denial(FEASIBLE, f"{move.app_vm} is not on {source}", relax=f"an app VM that is on {source}, once")
        if target == source:
            return Denial(FEASIBLE, f"{move.app_vm} is on {source} already", relax="another cloud VM")
        here.remove(move.app_vm)
        moves.append(Relocation(move.app_vm, source, target))
    return tuple(moves)


def _compared(size: CloudVMSize, old: CloudVMSize) -> tuple[bool, bool]:
    """Whether `size` is bigger than `old` in anything, and whether it is smaller in anything."""
    bigger = size.cores > old.cores or size.memory_bytes > old.memory_bytes
    return bigger, size.cores < old.cores or size.memory_bytes < old.memory_bytes


def _not_that_way(proposal: ScaleUp | ScaleDown, size: CloudVMSize, view: Projection) -> Denial:
    old = view.cloud_vms[view.row_of[proposal.cloud_vm]].size
    way = "smaller" if proposal.action.saves_money else "bigger"
    evidence = {"cores": size.cores, "old_cores": old.cores}
    evidence |= {"memory_bytes": size.memory_bytes, "old_memory_bytes": old.memory_bytes}
    return Denial(FEASIBLE, f"size {size.name} is not {way} than {old.name}", evidence, f"a {way} size")


def _nowhere(view: Projection, app_vm: AppVM) -> Denial:
    """Why there is no place for a new replica."""
    if app_vm.pinned_to:
        reason = f"a replica of {app_vm.service} may only run on {app_vm.pinned_to}, which has no room for it"
        return Denial(FEASIBLE, reason, {"memory_bytes": app_vm.memory_bytes}, f"room on {app_vm.pinned_to}, or no pin")
    biggest = max((size.memory_bytes for size in view.snapshot.catalogue), default=0)
    return Denial(
        FEASIBLE,
        f"no cloud VM has room for a replica of {app_vm.service} and no size of the catalogue holds one",
        {"memory_bytes": app_vm.memory_bytes, "biggest_size_memory_bytes": biggest, "cores": app_vm.cores},
        "a bigger size in the catalogue, or a smaller template",
    )


def _unknown(kind: str, name: str) -> Denial:
    return Denial(FEASIBLE, f"there is no {kind} {name}", relax=f"a {kind} that exists")
