"""In which order app VMs can change place so that no cloud VM is ever over its memory: a search over rows, nothing else.

Separate from `planner` because the search knows neither effects nor steps nor ids; those may not be here, only rows and bytes.
That an order is safe under any interleaving is `draft`'s doing.

Completeness: a set of connected transfers (through the cloud VMs they touch) of at most SEARCHED is ordered without parking
whenever any one-at-a-time order exists. Larger ones are ordered greedily; parking is greedy always, parks only app VMs that
move anyway, each once at most. So beyond that "stuck" may be said where a cleverer order exists; never the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from autoscaler.core.draft import Draft, Ground, Leg, Transfer
from autoscaler.core.snapshot import NOWHERE

SEARCHED = 10  # transfers in one exhaustive search: at most 2**10 states, some 10 ms


@dataclass(frozen=True, slots=True)
class Stuck:
    """Transfers for which no order was found. `waiting`: those left when nothing moved any more; the first of them found
    `room_bytes` at its target, or `blocker`, from whom it must stay apart. `smallest`: the cheapest to park of them, and
    `roomiest`: where there is most room for it, `roomiest_bytes`; NOWHERE where it may run on no other."""

    transfers: tuple[Transfer, ...]
    waiting: tuple[Transfer, ...]
    room_bytes: float
    blocker: int | None
    smallest: Transfer | None
    roomiest: int
    roomiest_bytes: float


def order(ground: Ground, transfers: Sequence[Transfer]) -> tuple[tuple[Leg, ...], tuple[Stuck, ...]]:
    """Order `transfers` (at most one per app VM; ties go to the earlier). Legs hold everything but what is in a `Stuck`.

    A stop comes last unless its memory is waited for: first the new replica, then the end of the old one.
    """
    draft, stuck, stops = Draft(ground), list[Stuck](), list[Transfer]()
    hard = list[tuple[Transfer, ...]]()
    for group in connected(transfers):
        if _direct(draft, group):
            stops += _stops_left(draft, group)
        else:
            hard.append(group)
    if hard:  # whatever will be free anyway may be parked on
        _append_all(draft, stops)
        stops = []
    for group in hard:
        failure = _with_parking(draft, group)
        if failure is not None:
            stuck.append(failure)
    _append_all(draft, stops)
    return tuple(draft.legs), tuple(stuck)


def connected(transfers: Sequence[Transfer]) -> list[tuple[Transfer, ...]]:
    """Transfers grouped by the cloud VMs they share, in order of first appearance: what is in one group waits for nobody in
    another."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while parent.setdefault(row, row) != row:
            parent[row] = row = parent[parent[row]]
        return row

    for transfer in transfers:
        ends = [end for end in (transfer.source, transfer.target) if end != NOWHERE]
        parent[root(ends[-1])] = root(ends[0])
    groups: dict[int, list[Transfer]] = {}
    for transfer in transfers:
        groups.setdefault(root(transfer.source if transfer.source != NOWHERE else transfer.target), []).append(transfer)
    return [tuple(group) for group in groups.values()]


def _direct(draft: Draft, group: tuple[Transfer, ...]) -> bool:
    """Order `group` without parking: greedily, else (when it is small) by trying every order."""
    draft.begin()
    if not _settle_with_stops(draft, group):
        return True
    draft.back()
    found = search(draft.ground, group) if len(group) <= SEARCHED else None
    _append_all(draft, found or ())
    return found is not None


def _with_parking(draft: Draft, group: Sequence[Transfer]) -> Stuck | None:
    draft.begin()
    pending = _settle_with_stops(draft, group)
    while pending:
        parking = _parking(draft, pending)
        if parking is None:
            failure = _stuck(draft, group, pending)
            draft.back()
            return failure
        draft.append(parking)
        pending = [
            Transfer(t.app, t.memory_bytes, parking.target, t.target) if t.app == parking.app else t for t in pending
        ]
        pending = _settle(draft, pending)
    _append_all(draft, _stops_left(draft, group))
    return None


def _stops_left(draft: Draft, group: Sequence[Transfer]) -> list[Transfer]:
    return [t for t in group if t.target == NOWHERE and t.app not in draft.latest]


def _append_all(draft: Draft, transfers: Iterable[Transfer]) -> None:
    for transfer in transfers:
        draft.append(transfer)


def _settle_with_stops(draft: Draft, group: Sequence[Transfer]) -> list[Transfer]:
    """Settle the arrivals of `group`, the stops that they wait for included; what is left waiting."""
    pending = _settle(draft, [t for t in group if t.target != NOWHERE])
    waited_for = {t.target for t in pending}
    stops = [t for t in group if t.target == NOWHERE and t.source in waited_for]
    _append_all(draft, stops)
    return _settle(draft, pending) if stops else pending


def _settle(draft: Draft, pending: Sequence[Transfer]) -> list[Transfer]:
    """Append whatever fits, the earliest first, again whenever somebody has left; what is left waiting."""
    waiting: dict[int, list[int]] = {}
    for index, transfer in enumerate(pending):
        waiting.setdefault(transfer.target, []).append(index)
    left = dict.fromkeys(range(len(pending)))
    queue = list(left)
    heapify(queue)
    while queue:
        index = heappop(queue)
        if index not in left or not draft.fits(pending[index]):
            continue
        draft.append(pending[index])
        del left[index]
        for woken in waiting.get(pending[index].source, ()):
            if woken in left:
                heappush(queue, woken)
    return [pending[index] for index in left]


def search(ground: Ground, group: Sequence[Transfer]) -> list[Transfer] | None:
    """An order of all arrivals of `group` one at a time (and of the stops they need), if there is any: depth first over the
    sets of transfers that are done, each set looked at once."""
    tried = sorted(group, key=lambda t: t.target == NOWHERE)
    before = [_before(ground, tried, t) for t in tried]
    arrivals = sum(1 << i for i, t in enumerate(tried) if t.target != NOWHERE)
    rooms = {row: ground.free_bytes[row] for t in tried for row in (t.source, t.target) if row != NOWHERE} | {
        NOWHERE: 0.0
    }
    seen: set[int] = set()
    path: list[Transfer] = []

    def extend(done: int) -> bool:
        if done & arrivals == arrivals:
            return True
        if done in seen:
            return False
        seen.add(done)
        for i, t in enumerate(tried):
            need = before[i]
            if (
                done >> i & 1
                or need is None
                or need & ~done
                or (t.target != NOWHERE and rooms[t.target] < t.memory_bytes)
            ):
                continue
            rooms[t.target] -= t.memory_bytes
            rooms[t.source] += t.memory_bytes
            path.append(t)
            if extend(done | 1 << i):
                return True
            path.pop()
            rooms[t.target] += t.memory_bytes
            rooms[t.source] -= t.memory_bytes
        return False

    return path if extend(0) else None


def _before(ground: Ground, group: Sequence[Transfer], transfer: Transfer) -> int | None:
    """Set (bits) of transfers of `group` that take away those from whom `transfer` must stay apart; None: some stay
    or come, so that there is no end to plan for (guards refuse such a wish before it gets here)."""
    if not ground.wary or transfer.target == NOWHERE:
        return 0
    if any(t.target == transfer.target and t.app != transfer.app and ground.apart(transfer.app, t.app) for t in group):
        return None
    leaving = {t.app: 1 << i for i, t in enumerate(group) if t.source == transfer.target}
    bits = 0
    for other in ground.residents(transfer.target):
        if other != transfer.app and ground.apart(transfer.app, other):
            if other not in leaving:
                return None
            bits |= leaving[other]
    return bits


def _parking(draft: Draft, pending: Sequence[Transfer]) -> Transfer | None:
    """The parking move that costs least: of those who move anyway and stand in somebody's way the smallest, one that lets
    somebody in at once before one that does not; None where no one can be parked."""
    wanted: dict[int, list[Transfer]] = {}
    for transfer in pending:
        wanted.setdefault(transfer.target, []).append(transfer)

    def lets_in(t: Transfer) -> bool:
        room = draft.rooms[t.source] + t.memory_bytes
        return any(w.memory_bytes <= room and draft.blocker(w.app, w.target) in (None, t.app) for w in wanted[t.source])

    candidates = [t for t in pending if t.source in wanted and t.app not in draft.latest]
    for t in sorted(candidates, key=lambda t: (not lets_in(t), t.memory_bytes)):
        row = _parking_place(draft, t, wanted)
        if row is not None:
            return Transfer(t.app, t.memory_bytes, t.source, row)
    return None


def _parking_place(draft: Draft, transfer: Transfer, wanted: dict[int, list[Transfer]]) -> int | None:
    """The first cloud VM where `transfer` may be parked, one where it takes nobody's room before any other."""
    rooms, memory, otherwise = draft.rooms, transfer.memory_bytes, None
    for row in [row for row in draft.ground.parking if rooms[row] >= memory and row != transfer.source]:
        if not draft.ground.may_park(transfer.app, row) or draft.blocker(transfer.app, row) is not None:
            continue
        if rooms[row] - memory >= sum(w.memory_bytes for w in wanted.get(row, ())):
            return row
        otherwise = row if otherwise is None else otherwise
    return otherwise


def _stuck(draft: Draft, group: Sequence[Transfer], pending: Sequence[Transfer]) -> Stuck:
    first, ground = pending[0], draft.ground
    movable = [t for t in pending if t.source != NOWHERE]
    smallest = min(movable, key=lambda t: t.memory_bytes, default=None)
    places = [
        row
        for row in ground.parking
        if smallest and row not in (smallest.source, smallest.target) and ground.may_park(smallest.app, row)
    ]
    roomiest = max(places, key=lambda row: draft.rooms[row], default=NOWHERE)
    return Stuck(
        transfers=tuple(group),
        waiting=tuple(pending),
        room_bytes=draft.rooms[first.target],
        blocker=draft.blocker(first.app, first.target),
        smallest=smallest,
        roomiest=roomiest,
        roomiest_bytes=draft.rooms[roomiest] if roomiest != NOWHERE else 0.0,
    )
