"""Where cloud VMs come from: one file per provider behind one interface. A provider rents and releases, and says what there is.

Separate from the agents because a cloud knows nothing of app VMs, and what runs on a cloud VM is nobody's business here.
Calls return at once; what takes long goes on by itself, survives the controller, and is begun again by the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.model import CloudVMSize, CloudVMState


@dataclass(frozen=True, slots=True)
class Rented:
    """A cloud VM as its provider knows it. `agent`: the name that its agent's certificate bears; `address`: where the
    controller reaches that agent, `back_address`: where other agents do."""

    id: str
    size: CloudVMSize
    state: CloudVMState
    agent: str
    address: str
    back_address: str


class Provider(Protocol):
    """A cloud. Creating and releasing are idempotent by id."""

    def catalogue(self) -> tuple[CloudVMSize, ...]:
        """Sizes that can be rented now."""
        ...

    def cloud_vms(self) -> Sequence[Rented]:
        """All that exist or are being made; one that is gone is not among them. Raises SourceError where that is unknown."""
        ...

    def create(self, id_: str, size: CloudVMSize) -> None:
        """Begin, or go on, to make a cloud VM. Raises ActuationError where it never can be."""
        ...

    def release(self, id_: str) -> None:
        """Begin, or go on, to release one, in whatever state it is."""
        ...

    def sweep(self) -> None:
        """Remove what is left of cloud VMs that are gone, or were begun by a controller that is gone and asked for by nobody."""
        ...

    def failure(self, id_: str) -> str:
        """Why what was last begun with it failed, "" where it did not. Of a creation that failed nothing is left."""
        ...
