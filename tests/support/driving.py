"""The real loop over a simulated cluster, for tests that only want to know what came of a stretch of time."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.adapters.memory import MemoryJournal
from autoscaler.core.engine import Engine
from autoscaler.core.events import Command
from autoscaler.runtime import Loop, Ports
from autoscaler.sim.cluster import SimulatedCluster


class Times:
    """A clock that gives the times it was told to."""

    def __init__(self, times: list[float]) -> None:
        self._times = times

    def ticks(self) -> Iterator[float]:
        yield from self._times


def drive(engine: Engine, cluster: SimulatedCluster, every_s: float, ticks: int) -> list[tuple[float, Command]]:
    """Run `ticks` turns; (time, command) of everything the engine commanded, in order. The journal is kept short."""
    begin = cluster.world.now
    commanded: list[tuple[float, Command]] = []
    times = [begin + every_s * (tick + 1) for tick in range(ticks)]
    ports = Ports(Times(times), (cluster,), cluster, MemoryJournal())
    loop = Loop(engine, ports, [lambda now, _event, commands: commanded.extend((now, c) for c in commands)])
    for now in times:
        loop.tick(now)
        loop.checkpoint(now)
    return commanded
