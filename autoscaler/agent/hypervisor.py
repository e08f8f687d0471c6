"""What the agent needs of a hypervisor. Types only; xen.py is the real one, rehearsal.py one in memory.

Contract, held by tests/unit/agent for the one in memory and by tests/system/live for Xen:
* `create` and `restore` leave the app VM paused: it has not run yet, and may be destroyed and made again.
* `save` leaves it paused too, its file complete: whoever records that destroys it, whoever does not lets it go on.
* What is done twice is done once: destroying what is gone, pausing what is paused.
* `settled` waits for the end of whatever an agent that died before had begun on this app VM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from autoscaler.agent.descriptions import AppVMSpec


class Halt(StrEnum):
    """Why an app VM does not run any more; NONE while it does, SUSPEND while it is being saved or moved."""

    NONE = ""
    POWEROFF = "poweroff"
    REBOOT = "reboot"
    SUSPEND = "suspend"
    CRASH = "crash"
    WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An app VM as the hypervisor sees it. `handle` changes with every start and move; `uuid` never does."""

    uuid: str
    handle: int
    paused: bool = False
    halt: Halt = Halt.NONE
    dying: bool = False
    cpu_s: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen at one instant; `boot_id` tells one boot of the cloud VM from the next."""

    cores: int
    memory_bytes: int
    free_bytes: int
    boot_id: str
    can_log_dirty: bool
    sightings: Mapping[str, Sighting]


@dataclass(frozen=True, slots=True)
class Files:
    """Where an app VM's image, ramdisk and disk are on this machine."""

    image: Path
    files: Path | None = None
    disk: Path | None = None


class Hypervisor(Protocol):
    """Raises ActuationError, temporary where trying again may help. Nothing here remembers anything."""

    def observe(self) -> Observation: ...

    def published(self, handles: Sequence[int]) -> Mapping[int, Mapping[str, str]]:
        """What app VMs say of themselves (libos/README.md, Telemetry), of those that are there."""

    async def settled(self, uuid: str) -> None: ...

    async def create(self, spec: AppVMSpec, files: Files) -> None: ...

    async def unpause(self, seen: Sighting) -> None: ...

    async def pause(self, seen: Sighting) -> None: ...

    async def ask_to_stop(self, seen: Sighting) -> None: ...

    async def destroy(self, seen: Sighting) -> None: ...

    async def save(self, seen: Sighting, path: Path) -> None: ...

    async def restore(self, spec: AppVMSpec, path: Path) -> None: ...

    def console(self, name: str) -> Sequence[Path]:
        """The files that hold what it said, oldest first; some may not exist."""

    def written(self) -> Sequence[Path]:
        """All files that grow with what app VMs say, also of those that are gone."""

    def type_to(self, seen: Sighting, typed: bytes) -> None: ...
