"""What proposals would do, in one form for all six actions: cloud VMs created and released, app VMs started, stopped, moved.

Guards judge an effect and the planner orders it; neither knows which action it came from. (Expansion: see `expand`.)
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.model import AppVM, CloudVM


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new app VM and the id of the cloud VM it starts on."""

    app_vm: AppVM
    cloud_vm: str


@dataclass(frozen=True, slots=True)
class Relocation:
    """An app VM, the cloud VM it is on and the one it goes to (ids)."""

    app_vm: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Effect:
    """`creates`: with their final ids, so that arrivals and relocations may name them."""

    creates: tuple[CloudVM, ...] = ()
    starts: tuple[Arrival, ...] = ()
    stops: tuple[str, ...] = ()
    moves: tuple[Relocation, ...] = ()
    releases: tuple[str, ...] = ()

    @property
    def touched(self) -> tuple[str, ...]:
        """Ids of everything it starts, stops, moves, fills, creates or releases, in order, each once."""
        ids = [c.id for c in self.creates]
        for arrival in self.starts:
            ids += (arrival.app_vm.id, arrival.cloud_vm)
        ids += self.stops
        for move in self.moves:
            ids += (move.app_vm, move.source, move.target)
        return tuple(dict.fromkeys((*ids, *self.releases)))
