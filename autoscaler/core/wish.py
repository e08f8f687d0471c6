"""What effects, taken together, come to: where each app VM shall be at the end, what is created, what is released.

Separate from `planner` because this is about ends, not ways: several effects may concern one app VM, and only the net
change counts (there and back is no change). No order may be here. Rows: those of the snapshot, then what effects create.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.core.draft import Transfer
from autoscaler.core.effect import Effect
from autoscaler.core.model import AppVM, CloudVM, CloudVMState
from autoscaler.core.snapshot import NOWHERE, Snapshot


def mib(memory_bytes: float) -> str:
    return f"{memory_bytes / 2**20:.6g} MiB"


class Board:
    """The snapshot with rows for all that the effects would create, and the free memory of each cloud VM. `isolate`: the label
    whose values never share one."""

    def __init__(
        self, snapshot: Snapshot, effects: Sequence[Effect], reserved_bytes: Mapping[str, float], isolate: str = ""
    ) -> None:
        inventory = snapshot.inventory
        self.snapshot = snapshot
        self.cloud_vms: list[CloudVM] = [*inventory.cloud_vms, *(c for effect in effects for c in effect.creates)]
        self.app_vms: list[AppVM] = list(inventory.app_vms)
        self.app_row = dict(inventory.app_row)
        self.cloud_row = {cloud_vm.id: row for row, cloud_vm in enumerate(self.cloud_vms)}
        self.placement: list[int] = snapshot.placement.tolist()
        for app_vm in (arrival.app_vm for effect in effects for arrival in effect.starts):
            if app_vm.id not in self.app_row:
                self.app_row[app_vm.id] = len(self.app_vms)
                self.app_vms.append(app_vm)
                self.placement.append(NOWHERE)
        taken = snapshot.on_cloud_vms(inventory.app_memory_bytes)
        self.reserved = [reserved_bytes.get(cloud_vm.id, 0.0) for cloud_vm in self.cloud_vms]
        self.free_bytes = [c.size.memory_bytes - r for c, r in zip(self.cloud_vms, self.reserved, strict=True)]
        self.free_bytes[: len(taken)] = [
            f - t for f, t in zip(self.free_bytes[: len(taken)], taken.tolist(), strict=True)
        ]
        self.isolate = isolate
        self.wary = bool(isolate) or any(app_vm.apart_from for app_vm in self.app_vms)


@dataclass(slots=True, eq=False)
class Wish:
    """`target`: app row -> cloud VM row at the end (NOWHERE: stopped), for whom effects concern; `owner`: app row -> number
    of the last effect that did. `creates` and `releases`: cloud VM row -> number of the effect."""

    target: dict[int, int] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)
    creates: dict[int, int] = field(default_factory=dict)
    releases: dict[int, int] = field(default_factory=dict)

    def transfers(self, board: Board) -> list[Transfer]:
        """The net changes, in the order in which effects first speak of them."""
        return [
            Transfer(app, float(board.app_vms[app].memory_bytes), board.placement[app], target)
            for app, target in self.target.items()
            if target != board.placement[app]
        ]

    def place(self, app: int, board: Board) -> int:
        return self.target.get(app, board.placement[app])


def wish(board: Board, effects: Mapping[int, Effect]) -> tuple[Wish, dict[int, str]]:
    """What `effects` (by number, in order) come to, and the reason for each that cannot be part of it."""
    wished, problems = Wish(), dict[int, str]()
    for number, effect in effects.items():
        reason = _add(wished, board, number, effect)
        if reason:
            problems[number] = reason
    if not problems:
        for number, reason in (*_overfull(wished, board), *_occupied(wished, board)):
            problems.setdefault(number, reason)
    return wished, problems


def _add(wished: Wish, board: Board, number: int, effect: Effect) -> str:
    """Add `effect`; the reason where it does not follow from what is there (then nothing of it is added)."""
    created = [board.cloud_row[cloud_vm.id] for cloud_vm in effect.creates]
    moved: dict[int, int] = {}
    for app_vm, source, target in _changes(effect):
        app, there = board.app_row.get(app_vm), board.cloud_row.get(target, NOWHERE)
        if app is None:
            return f"there is no app VM {app_vm}"
        reason = _not_at(board, moved.get(app, wished.place(app, board)), app_vm, source)
        if not reason and target and there not in created and there not in wished.creates:
            reason = _closed(board, target, there)
        if reason:
            return reason
        moved[app] = there
    unknown = [cloud_vm for cloud_vm in effect.releases if cloud_vm not in board.cloud_row]
    if unknown:
        return f"there is no cloud VM {unknown[0]} to release"
    wished.creates |= dict.fromkeys(created, number)
    wished.target |= moved
    wished.owner |= dict.fromkeys(moved, number)
    wished.releases |= {board.cloud_row[cloud_vm]: number for cloud_vm in effect.releases}
    return ""


def _changes(effect: Effect) -> Iterator[tuple[str, str | None, str]]:
    """(app VM, where it must be before, where it shall be): "" is nowhere; None: anywhere, but somewhere."""
    yield from ((arrival.app_vm.id, "", arrival.cloud_vm) for arrival in effect.starts)
    yield from ((stopped, None, "") for stopped in effect.stops)
    yield from ((move.app_vm, move.source, move.target) for move in effect.moves)


def _not_at(board: Board, place: int, app_vm: str, expected: str | None) -> str:
    here = "" if place == NOWHERE else board.cloud_vms[place].id
    if expected is None:
        return "" if here else f"{app_vm} does not run"
    if here == expected:
        return ""
    return f"{app_vm} {f'is on {here}' if here else 'runs nowhere'}{f', not on {expected}' if expected else ' already'}"


def _closed(board: Board, target: str, row: int) -> str:
    """Why `target`, which no effect so far creates, takes nobody."""
    if row == NOWHERE or row >= len(board.snapshot.cloud_vms):
        return f"there is no cloud VM {target}"
    state = board.cloud_vms[row].state
    return "" if state is CloudVMState.ACTIVE else f"{target} takes no app VMs: {state}"


def _overfull(wished: Wish, board: Board) -> Iterable[tuple[int, str]]:
    """Cloud VMs that cannot hold at the end what shall be on them, each with the latest effect that adds to it."""
    free, latest = dict[int, float](), dict[int, int]()
    for transfer in wished.transfers(board):
        for row, change in ((transfer.source, transfer.memory_bytes), (transfer.target, -transfer.memory_bytes)):
            free[row] = free.get(row, board.free_bytes[row]) + change
        latest[transfer.target] = max(latest.get(transfer.target, 0), wished.owner[transfer.app])
    for row, number in latest.items():
        if row != NOWHERE and free[row] < 0:
            cloud_vm, offered = board.cloud_vms[row], board.cloud_vms[row].size.memory_bytes
            yield (
                number,
                f"{cloud_vm.id} would hold {mib(offered - free[row])} of {mib(offered)}; {mib(-free[row])} more there would help",
            )


def _occupied(wished: Wish, board: Board) -> Iterable[tuple[int, str]]:
    """Cloud VMs that shall be released and would not be empty."""
    arriving = {row: app for app, row in wished.target.items()}
    for row, number in wished.releases.items():
        name = board.cloud_vms[row].id
        if row in arriving:
            app = arriving[row]
            yield max(number, wished.owner[app]), f"{name} cannot be released: {board.app_vms[app].id} shall be on it"
        elif board.reserved[row] > 0:
            yield (
                number,
                f"{name} cannot be released: {mib(board.reserved[row])} of it are kept for app VMs on their way there",
            )
        elif row < len(board.snapshot.cloud_vms):
            staying = [int(app) for app in board.snapshot.by_cloud_vm[row] if int(app) not in wished.target]
            if staying:
                yield number, f"{name} cannot be released: {board.app_vms[staying[0]].id} stays on it"
