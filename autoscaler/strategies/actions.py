"""A packing as proposals: which of the six actions, in an order that frees room first.

Separate because a packing says where everybody ends and no action; here is what of it can be wished for in one decision. A new
cloud VM that several are to share is first wished for by the one that brings most; the others follow at the next decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autoscaler.core.model import CloudVMSize, CloudVMState
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.packing.problem import Packing, kept
from autoscaler.strategies.bundles import Ground, Wish, bundled
from autoscaler.strategies.question import Question

FILLED = 0.5  # of its memory: what an investment has to be given before the next one


@dataclass(frozen=True, slots=True, eq=False)
class Exit:
    """Who leaves one cloud VM: `stay`: items to cloud VMs that are there; `new`: number of a rented one -> items."""

    row: int
    released: bool
    stay: tuple[int, ...]
    new: dict[int, tuple[int, ...]]


def one_investment(snapshot: Snapshot, proposals: list[Proposal]) -> list[Proposal]:
    """Of a plan that saves: all that costs nothing, and of the cloud VMs to be rented for it the one that takes most in; none
    while an earlier one still has to be filled. What one costs is sure; what it saves takes moves that may be refused, or last
    hours. A cloud VM that only the others would have emptied is not asked for back yet."""
    rented = [p for p in proposals if isinstance(p, ScaleUp) or (isinstance(p, Separate) and p.new_size is not None)]
    most = None if _being_filled(snapshot) else max(rented, key=lambda p: _taken_in(snapshot, p), default=None)
    left = [p for p in proposals if p is most or not any(p is other for other in rented)]
    going = {move.app_vm for p in left if isinstance(p, Separate | Consolidate) for move in p.moves}
    return [p for p in left if not isinstance(p, Consolidate) or _residents(snapshot, p.key) <= going]


def _being_filled(snapshot: Snapshot) -> bool:
    """Whether a cloud VM is being created, or will still be half empty when those are there that are on their way to it."""
    if any(cloud_vm.state is CloudVMState.STARTING for cloud_vm in snapshot.cloud_vms):
        return True
    rows, allocated = snapshot.inventory.cloud_row, snapshot.on_cloud_vms(snapshot.inventory.app_memory_bytes)
    for name, coming_bytes in snapshot.reserved_bytes.items():
        row = rows.get(name)
        if row is None or allocated[row] + coming_bytes < FILLED * snapshot.cloud_vms[row].size.memory_bytes:
            return True
    return False


def _residents(snapshot: Snapshot, cloud_vm: str) -> set[str]:
    rows = snapshot.by_cloud_vm[snapshot.inventory.cloud_row[cloud_vm]]
    return {snapshot.app_vms[int(row)].id for row in rows}


def _taken_in(snapshot: Snapshot, proposal: Proposal) -> int:
    if isinstance(proposal, Separate):
        return len(proposal.moves)
    return len(snapshot.by_cloud_vm[snapshot.inventory.cloud_row[proposal.key]])


class Script:
    """`why`: what the whole plan is good for, the end of every reason."""

    def __init__(
        self, snapshot: Snapshot, question: Question, packing: Packing, why: str, evidence: dict[str, float]
    ) -> None:
        self._snapshot, self._question, self._packing = snapshot, question, packing
        self._why, self._evidence = why, evidence
        self._bins = question.problem.bins

    def proposals(self) -> list[Proposal]:
        """Each move by itself: where somebody has to leave, every one is of use."""
        return self._ordered(self._wishes())

    def saving(self) -> list[Proposal]:
        """Who only makes room moves together with the release that needs it."""
        wishes = bundled(self._question.problem, self._packing.place, self._wishes())
        return [wish.proposal for wish in sorted(wishes, key=lambda wish: wish.proposal.action.saves_money)]

    def _wishes(self) -> list[Wish]:
        exits = [*self._exits()]
        primary = self._primaries(exits)
        return [wish for leaving in exits for wish in self._wish(leaving, primary)]

    def _exits(self) -> Iterator[Exit]:
        problem, place = self._question.problem, self._packing.place
        stays = kept(problem, self._packing)
        for row, items in enumerate(problem.residents):
            going = items[place[items] != row]
            released = not stays[row]
            if len(going) or released:
                new = {
                    int(t): tuple(map(int, going[place[going] == t]))
                    for t in np.unique(place[going])
                    if t >= self._bins
                }
                yield Exit(row, released, tuple(map(int, going[place[going] < self._bins])), new)

    def _primaries(self, exits: list[Exit]) -> dict[int, int]:
        """Rented bin -> row of who brings most to it."""
        brings: dict[int, tuple[int, int]] = {}
        for leaving in exits:
            for target, items in leaving.new.items():
                brings[target] = max(brings.get(target, (0, 0)), (len(items), -leaving.row))
        return {target: -row for target, (_, row) in brings.items()}

    def _wish(self, leaving: Exit, primary: dict[int, int]) -> Iterator[Wish]:
        mine = [target for target in leaving.new if primary[target] == leaving.row]
        if leaving.released and not leaving.stay and len(leaving.new) == len(mine) == 1:
            resized = self._resized(leaving.row, self._size(mine[0]))
            if resized is not None:
                yield Wish(resized, ())
            return
        name = self._name(leaving.row)
        for target in mine:
            items, size = leaving.new[target], self._size(target)
            moves = tuple(Move(self._app(item), None) for item in items)
            reason = f"{len(items)} app VMs of {name} to a new {size.name}: {self._why}"
            yield Wish(Separate(name, moves, reason, self._evidence, size.name), ())
        moves = tuple(Move(self._app(item), self._name(int(self._packing.place[item]))) for item in leaving.stay)
        if leaving.released and len(mine) == len(leaving.new):
            what = f"the {len(moves)} app VMs of {name} fit elsewhere" if moves else f"{name} is empty"
            yield Wish(Consolidate(name, moves, f"{what}: {self._why}", self._evidence), leaving.stay)
        elif moves and not leaving.released:
            reason = f"{len(moves)} app VMs leave {name}: {self._why}"
            yield Wish(Separate(name, moves, reason, self._evidence), leaving.stay)

    def _resized(self, row: int, size: CloudVMSize) -> Proposal | None:
        now, name = self._snapshot.cloud_vms[row].size, self._name(row)
        reason = f"{name} as a {size.name} instead of a {now.name}: {self._why}"
        if size.price_per_hour < now.price_per_hour:
            smaller = size.cores < now.cores or size.memory_bytes < now.memory_bytes
            return ScaleDown(name, size.name, reason, self._evidence) if smaller else None
        bigger = size.cores > now.cores or size.memory_bytes > now.memory_bytes
        return ScaleUp(name, size.name, reason, self._evidence) if bigger else None

    def _ordered(self, wishes: list[Wish]) -> list[Proposal]:
        """Relief before saving, and nobody before there is room for all that come with it; a ring is left to the planner."""
        ground = Ground(self._question.problem, self._packing.place)
        waiting = sorted(wishes, key=lambda wish: wish.proposal.action.saves_money)
        ordered: list[Proposal] = []
        while waiting:
            ready = next((wish for wish in waiting if not ground.short(wish.items)), waiting[0])
            waiting.remove(ready)
            ground.carry_out(ready.items)
            ordered.append(ready.proposal)
        return ordered

    def _name(self, row: int) -> str:
        return self._snapshot.cloud_vms[row].id

    def _app(self, item: int) -> str:
        return self._snapshot.app_vms[int(self._question.rows[item])].id

    def _size(self, target: int) -> CloudVMSize:
        return self._snapshot.catalogue[int(self._packing.rented[target - self._bins])]
