"""A replay as frames: who was where at each, for the status page to scrub through. A watcher of the loop; changes nothing.

Separate from the recorder (figures over time) because this is identities and places. Frames are as many as the limits below
allow; a frame names only who has moved since the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from autoscaler.core.events import Command, Event, Observed
from autoscaler.core.model import AppVM, CloudVM
from autoscaler.core.snapshot import CPU, NOWHERE, IntArray
from autoscaler.sim.world import World

MOST_FRAMES = 600
MOST_CELLS = 600_000  # frames times app VMs: a report of about a megabyte
LEVELS = 9  # CPU in use of an app VM's own cores, in so many parts
UNKNOWN, ABSENT = "?", "-"


@dataclass(frozen=True, slots=True)
class Frame:
    """cloud_vms: rows of those there. moved: (app VM, cloud VM or NOWHERE) rows, of those who were elsewhere in the frame
    before. cpu: a character for each app VM known so far."""

    at: float
    cost: float
    unserved_fraction: float
    cloud_vms: tuple[int, ...]
    moved: tuple[tuple[int, int], ...]
    cpu: str


@dataclass(slots=True)
class Film:
    """All that ever were, by first appearance, and the frames."""

    cloud_vms: dict[str, CloudVM] = field(default_factory=dict)
    app_vms: dict[str, AppVM] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON-able values, app VMs column by column."""
        services = list(dict.fromkeys(app_vm.service for app_vm in self.app_vms.values() if app_vm.service))
        row = {name: number for number, name in enumerate(services)}
        return {
            "cloud_vms": [
                [c.id, c.size.name, c.size.cores, c.size.memory_bytes, c.size.price_per_hour]
                for c in self.cloud_vms.values()
            ],
            "services": services,
            "app_vms": {
                "id": list(self.app_vms),
                "service": [row.get(app_vm.service, NOWHERE) for app_vm in self.app_vms.values()],
                "cores": [app_vm.cores for app_vm in self.app_vms.values()],
                "memory_bytes": [app_vm.memory_bytes for app_vm in self.app_vms.values()],
            },
            "frames": [
                [f.at, round(f.cost, 6), round(f.unserved_fraction, 6), f.cloud_vms, [*chain(*f.moved)], f.cpu]
                for f in self.frames
            ],
        }


class Camera:
    """`ticks`: how many there will be, so that frames are spread over all of them."""

    def __init__(self, world: World, ticks: int) -> None:
        self.film = Film()
        frames = max(2, min(MOST_FRAMES, MOST_CELLS // max(1, len(world.estate.apps))))
        self._world, self._every, self._seen = world, -(-ticks // frames), 0
        self._clouds: tuple[CloudVM, ...] | None = None
        self._apps: tuple[AppVM, ...] | None = None
        self._cloud_rows: IntArray = np.zeros(0, dtype=np.int64)
        self._app_rows: IntArray = np.zeros(0, dtype=np.int64)
        self._places: dict[int, int] = {}

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del now, commands
        if isinstance(event, Observed):
            if self._seen % self._every == 0:
                self._take(event)
            self._seen += 1

    def _take(self, event: Observed) -> None:
        film, estate, score = self.film, self._world.estate, self._world.score
        if self._clouds is not estate.clouds.identities:
            self._clouds = estate.clouds.identities
            self._cloud_rows = _rows(film.cloud_vms, self._clouds)
        if self._apps is not estate.apps.identities:
            self._apps = estate.apps.identities
            self._app_rows = _rows(film.app_vms, self._apps)
        cores = np.array([app_vm.cores for app_vm in self._apps], dtype=np.float64)
        placed = event.placement >= 0
        places = dict(
            zip(self._app_rows[placed].tolist(), self._cloud_rows[event.placement[placed]].tolist(), strict=True)
        )
        moved = [(row, place) for row, place in sorted(places.items()) if self._places.get(row) != place]
        moved += [(row, NOWHERE) for row in sorted(self._places.keys() - places.keys())]
        self._places = places
        film.frames.append(
            Frame(
                at=event.at,
                cost=score.cost,
                unserved_fraction=score.demand_unserved_fraction,
                cloud_vms=tuple(self._cloud_rows.tolist()),
                moved=tuple(moved),
                cpu=self._levels(event.samples[CPU] / np.maximum(cores, 1e-9)),
            )
        )

    def _levels(self, share: Any) -> str:
        level = np.clip(np.nan_to_num(np.round(LEVELS * share), nan=-1.0), -1, LEVELS).astype(np.int64)
        text = [ABSENT] * len(self.film.app_vms)
        for row, one in zip(self._app_rows.tolist(), level.tolist(), strict=True):
            text[row] = UNKNOWN if one < 0 else str(one)
        return "".join(text)


def _rows(known: dict[str, Any], present: tuple[Any, ...]) -> IntArray:
    """The row of each of `present` among all that ever were; newcomers are added."""
    for one in present:
        known[one.id] = one
    row = {name: number for number, name in enumerate(known)}
    return np.array([row[one.id] for one in present], dtype=np.int64)
