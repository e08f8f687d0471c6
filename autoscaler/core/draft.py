"""An order of transfers as it grows, leg by leg, with the room that is guaranteed on each cloud VM: the ledger of `ordering`.

Separate from `ordering` because this is what makes an order safe, whatever search wrote it; no choice of what comes next may
be here.

Why no interleaving overfills a cloud VM c. `Place.free` = capacity - residents - ALL arrivals in the order so far + claimed
departures, and no arrival takes it below 0. Take any instant, and the last arrival k (in order) on c that has begun.
k requires every departure claimed on c up to k, so all of those have ended. What else has begun to arrive on c stands before
k. So what c holds <= residents - claimed up to k + arrivals up to k = capacity - (free after k) <= capacity.
Steps running in parallel, fast, slow or failed, change nothing in this. The same holds for who must stay apart: an
arrival requires the departure of everyone before it in the order with whom it may not share the cloud VM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.core.snapshot import NOWHERE


@dataclass(frozen=True, slots=True)
class Transfer:
    """An app VM (row) and its memory, from one cloud VM (row) to another; NOWHERE as source is a start, as target a stop."""

    app: int
    memory_bytes: float
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A transfer in its place in the order. `requires`: positions of the legs that must have ended before."""

    transfer: Transfer
    requires: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """The cluster before. `free_bytes` per cloud VM; `parking`: rows that may be parked on; `may_park(app, row)`: pins;
    `apart(app, other)`: whether they may not share a cloud VM; `residents(row)`: apps there (asked only if `wary`)."""

    free_bytes: Sequence[float]
    parking: Sequence[int]
    may_park: Callable[[int, int], bool]
    apart: Callable[[int, int], bool]
    residents: Callable[[int], Iterable[int]]
    wary: bool


@dataclass(slots=True)
class Place:
    """One cloud VM while the order grows. `departures`: (leg, bytes) that nobody counts on yet; `claimed`: legs counted on."""

    free: float
    occupants: dict[int, None]
    departures: list[tuple[int, float]] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)
    left: list[tuple[int, int]] = field(default_factory=list)

    def copy(self) -> Place:
        return Place(self.free, dict(self.occupants), list(self.departures), list(self.claimed), list(self.left))

    def claim(self, memory_bytes: float) -> tuple[int, ...]:
        """Take room for an arrival: the legs that it requires."""
        while self.free < memory_bytes:
            leg, freed = self.departures.pop(0)
            self.claimed.append(leg)
            self.free += freed
        self.free -= memory_bytes
        return tuple(self.claimed)


class Draft:
    """The order as it grows. `begin` and `back` take back a part that led nowhere, at the cost of what it touched."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.rooms = list(ground.free_bytes)  # free once everything in the order has ended
        self.legs: list[Leg] = []
        self.latest: dict[int, int] = {}
        self._places: dict[int, Place] = {}
        self._saved: dict[int, tuple[float, Place]] = {}
        self._base = 0

    def begin(self) -> None:
        self._saved, self._base = {}, len(self.legs)

    def back(self) -> None:
        """As it was at the last `begin`."""
        for row, (room, place) in self._saved.items():
            self.rooms[row], self._places[row] = room, place
        for leg in self.legs[self._base :]:
            self.latest.pop(leg.transfer.app, None)
        del self.legs[self._base :]
        self.begin()

    def fits(self, transfer: Transfer) -> bool:
        return (
            self.rooms[transfer.target] >= transfer.memory_bytes and self.blocker(transfer.app, transfer.target) is None
        )

    def blocker(self, app: int, row: int) -> int | None:
        """Who is on `row` at the end of the order so far and must stay apart from `app`."""
        if not self.ground.wary:
            return None
        return next(
            (other for other in self._place(row).occupants if other != app and self.ground.apart(app, other)), None
        )

    def append(self, transfer: Transfer) -> None:
        """Put a transfer that fits at the end of the order."""
        position, requires = len(self.legs), set[int]()
        if transfer.app in self.latest:
            requires.add(self.latest[transfer.app])
        if transfer.target != NOWHERE:
            requires.update(self._arrive(transfer))
        if transfer.source != NOWHERE:
            self._depart(transfer, position)
        self.latest[transfer.app] = position
        self.legs.append(Leg(transfer, tuple(sorted(requires))))

    def _arrive(self, transfer: Transfer) -> Iterable[int]:
        place = self._written(transfer.target)
        self.rooms[transfer.target] -= transfer.memory_bytes
        place.occupants[transfer.app] = None
        kept_apart = (
            [leg for other, leg in place.left if self.ground.apart(transfer.app, other)] if self.ground.wary else []
        )
        return (*place.claim(transfer.memory_bytes), *kept_apart)

    def _depart(self, transfer: Transfer, position: int) -> None:
        place = self._written(transfer.source)
        self.rooms[transfer.source] += transfer.memory_bytes
        place.departures.append((position, transfer.memory_bytes))
        place.occupants.pop(transfer.app, None)
        place.left.append((transfer.app, position))

    def _place(self, row: int) -> Place:
        if row not in self._places:
            residents = dict.fromkeys(self.ground.residents(row)) if self.ground.wary else {}
            self._places[row] = Place(self.ground.free_bytes[row], residents)
        return self._places[row]

    def _written(self, row: int) -> Place:
        place = self._place(row)
        if row not in self._saved:
            self._saved[row] = (self.rooms[row], place.copy())
        return place
