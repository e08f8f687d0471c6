"""A hypervisor in memory, and agents over it: what the agent's tests start, stop, break and cut off at any instant.

It keeps the contract of autoscaler/agent/hypervisor.py. Guests obey unless they are `deaf`; a `Fuse` ends the agent (not the
guests) before or after any one of the things that outlive it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.agent.api import API
from autoscaler.agent.assembly import Agent
from autoscaler.agent.deeds import Bench
from autoscaler.agent.descriptions import AppVMSpec, StepReport, StepRequest
from autoscaler.agent.hypervisor import Files, Halt, Observation, Sighting
from autoscaler.agent.images import Images
from autoscaler.agent.keeper import Keeper
from autoscaler.agent.logs import Logs
from autoscaler.agent.steps import Steps
from autoscaler.agent.store import Shelf
from autoscaler.errors import ActuationError

MIB = 1 << 20


class DiedError(BaseException):
    """The agent's process is gone; nothing of ours may catch it."""


class Fuse:
    """Burns through at the `at`-th thing done; from then on nothing is done any more. None: never."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.done = at, 0

    @property
    def burnt(self) -> bool:
        return self.at is not None and self.done > self.at

    def __call__(self) -> None:
        self.done += 1
        if self.burnt:
            raise DiedError


@dataclass
class Guest:
    """`ran`: whether it was ever let go; `deaf`: it does not do what it is asked."""

    spec: AppVMSpec
    handle: int
    paused: bool = True
    halt: Halt = Halt.NONE
    ran: bool = False
    deaf: bool = False
    said: dict[str, str] = field(default_factory=lambda: {"used-bytes": "1000000", "load": "0.5"})


class World:
    """What outlives an agent: guests, their consoles, files. `trouble`: verb -> what it fails with."""

    def __init__(self, directory: Path, memory_bytes: int = 256 * MIB) -> None:
        self.directory, self.memory_bytes = directory, memory_bytes
        self.guests: dict[str, Guest] = {}
        self.boot_id, self.now = "boot-1", 1000.0
        self.trouble: dict[str, ActuationError] = {}
        self.deaf: set[str] = set()
        self.started = 0
        self._handles = itertools.count(1)

    def add(self, spec: AppVMSpec) -> None:
        assert spec.uuid not in self.guests, "made twice"
        assert self.free_bytes >= spec.memory_bytes, "more than there is"
        self.guests[spec.uuid] = Guest(spec, next(self._handles), deaf=spec.name in self.deaf)

    def ends(self, uuid: str, halt: Halt, console: str = "", **said: str) -> None:
        guest = self.guests[uuid]
        guest.halt = halt
        guest.said.update({name.replace("_", "-"): text for name, text in said.items()})
        self.writes(guest.spec.name, console)

    def writes(self, name: str, text: str) -> None:
        with self.console(name).open("a") as file:
            file.write(text)

    def console(self, name: str) -> Path:
        return self.directory / f"guest-{name}.log"

    @property
    def free_bytes(self) -> int:
        return self.memory_bytes - sum(guest.spec.memory_bytes for guest in self.guests.values())


class Rehearsed:
    """A Hypervisor over a World; `fuse` is asked before and after whatever changes it."""

    def __init__(self, world: World, fuse: Fuse) -> None:
        self._world, self._fuse = world, fuse

    def observe(self) -> Observation:
        world = self._world
        seen = {
            uuid: Sighting(uuid, g.handle, g.paused, g.halt, cpu_s=1.5, memory_bytes=g.spec.memory_bytes)
            for uuid, g in world.guests.items()
        }
        return Observation(2, world.memory_bytes, world.free_bytes, world.boot_id, can_log_dirty=True, sightings=seen)

    def published(self, handles: Sequence[int]) -> Mapping[int, Mapping[str, str]]:
        return {guest.handle: dict(guest.said) for guest in self._world.guests.values() if guest.handle in handles}

    async def settled(self, uuid: str) -> None:
        guest = self._world.guests.get(uuid)
        if guest and guest.halt is Halt.SUSPEND:
            guest.halt = Halt.NONE

    async def create(self, spec: AppVMSpec, files: Files) -> None:
        assert files.image.exists()
        await self._change("create", lambda: self._world.add(spec))
        self._world.writes(spec.name, f"{spec.name} begins\n")

    async def unpause(self, seen: Sighting) -> None:
        await self._change("unpause", lambda: self._let_go(seen.uuid))

    def _let_go(self, uuid: str) -> None:
        guest = self._world.guests[uuid]
        self._world.started += not guest.ran
        guest.paused, guest.ran = False, True

    async def pause(self, seen: Sighting) -> None:
        await self._change("pause", lambda: setattr(self._world.guests[seen.uuid], "paused", True))

    async def ask_to_stop(self, seen: Sighting) -> None:
        guest = self._world.guests[seen.uuid]
        if not guest.deaf and not guest.paused:
            await self._change("ask_to_stop", lambda: self._world.ends(seen.uuid, Halt.POWEROFF, exit_status="0"))

    async def destroy(self, seen: Sighting) -> None:
        await self._change("destroy", lambda: self._world.guests.pop(seen.uuid, None))

    async def save(self, seen: Sighting, path: Path) -> None:
        guest = self._world.guests[seen.uuid]
        assert not guest.paused, "a paused guest cannot prepare itself"

        def write() -> None:
            path.write_text(guest.spec.uuid)
            guest.paused = True

        await self._change("save", write)

    async def restore(self, spec: AppVMSpec, path: Path) -> None:
        def read() -> None:
            assert path.read_text() == spec.uuid
            self._world.add(spec)
            self._world.guests[spec.uuid].ran = True

        await self._change("restore", read)

    def console(self, name: str) -> Sequence[Path]:
        return [self._world.console(name)]

    def written(self) -> Sequence[Path]:
        return sorted(self._world.directory.glob("guest-*.log"))

    def type_to(self, seen: Sighting, typed: bytes) -> None:
        self._world.writes(self._world.guests[seen.uuid].spec.name, typed.decode())

    async def _change(self, verb: str, change: Callable[[], object]) -> None:
        self._fuse()
        if verb in self._world.trouble:
            raise self._world.trouble[verb]
        await asyncio.sleep(0)
        change()
        self._fuse()


class FusedShelf(Shelf):
    """Files that are written before, or after, the agent dies."""

    def __init__(self, directory: Path, fuse: Fuse) -> None:
        super().__init__(directory)
        self._fuse = fuse

    def keep(self, key: str, document: object) -> None:
        self._fuse()
        super().keep(key, document)
        self._fuse()

    def drop(self, key: str) -> None:
        self._fuse()
        super().drop(key)
        self._fuse()


@dataclass
class Rehearsal:
    """One agent's life over a world."""

    world: World
    agent: Agent
    fuse: Fuse
    lines: list[str]

    @property
    def keeper(self) -> Keeper:
        return self.agent.bench.keeper

    async def wake(self) -> None:
        """What an agent does first."""
        await self.keeper.look(sample=True)
        self.agent.steps.take_up()

    async def done(self, step: str, request: StepRequest) -> StepReport:
        self.agent.steps.submit(step, request)
        await self.rested()
        return self.agent.steps.report(step)

    async def rested(self) -> None:
        """Observe until nothing is under way, or the agent is dead."""
        while self.agent.steps.under_way and not self.fuse.burnt:
            await self.keeper.look(sample=True)
            await asyncio.sleep(0)


def rehearse(world: World, fuse: Fuse | None = None, name: str = "cv1") -> Rehearsal:
    """A new agent, knowing what is in the world's directory."""
    fuse, lines = fuse or Fuse(), list[str]()
    directory = world.directory
    logs = Logs(directory / "logs", lines.append)
    keeper = Keeper(name, Rehearsed(world, fuse), FusedShelf(directory / "app-vms", fuse), logs, lambda: world.now)
    bench = Bench(keeper, Images(directory / "images"), directory)
    steps = Steps(bench, FusedShelf(directory / "steps", fuse))
    return Rehearsal(world, Agent(bench, steps, API(bench, steps), lines.append), fuse, lines)
