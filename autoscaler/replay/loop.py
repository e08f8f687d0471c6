"""One replay: the loop of the live controller, with the world as source and actuator, and nothing written to a disk.

Separate from the command so that a tuner replays in the same way. Wiring only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoscaler.adapters.clock import VirtualClock
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Command, Event, PolicyChanged
from autoscaler.core.policy import Policy
from autoscaler.ports import Checkpoint
from autoscaler.replay.film import Camera
from autoscaler.replay.outcome import Outcome, Progress, no_progress
from autoscaler.replay.recorder import Recorder
from autoscaler.replay.worlds import Stage
from autoscaler.runtime import Loop, Ports
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.traces import Trace
from autoscaler.sim.world import World

REMEMBERED_OUTCOMES = 256


class Forgetting:
    """A journal of a run that nobody goes back to."""

    def event(self, event: Event) -> None: ...

    def commands(self, commands: Sequence[Command]) -> None: ...

    def checkpoint(self) -> Checkpoint | None:
        return None

    def keep(self, checkpoint: Checkpoint) -> None: ...

    def entries(self) -> Iterator[Event | Command]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Adoption:
    """A Source that says once which policy to decide by."""

    policy: Policy
    at: float

    def read(self, now: float) -> Iterator[Event]:
        if now <= self.at:
            yield PolicyChanged(now, self.policy)


def ticks_of(trace: Trace, policy: Policy) -> int:
    """How many times the policy decides while the trace lasts."""
    return max(1, math.floor(trace.steps * trace.step_s / policy.every_s))


def replay(
    trace: Trace, policy: Policy, stage: Stage, toolbox: Toolbox, *, seed: int, progress: Progress = no_progress
) -> Outcome:
    """Replay `policy` over all of `trace`. Ctrl-C ends it early: the outcome then covers what was replayed."""
    world = World(stage.scenario, demand=stage.demand, remember=REMEMBERED_OUTCOMES)
    cluster = SimulatedCluster(world)
    ticks = ticks_of(trace, policy)
    recorder, camera = Recorder(world, ticks), Camera(world, ticks)
    clock = VirtualClock(lambda: stage.scenario.start_at, policy.every_s, pace=math.inf, ticks=ticks)
    sources = (Adoption(policy, stage.scenario.start_at), cluster)
    loop = Loop(Engine(toolbox), Ports(clock, sources, cluster, Forgetting()), (recorder, camera))
    complete, began = True, time.perf_counter()
    try:
        for done, now in enumerate(clock.ticks()):
            loop.tick(now)
            progress(done + 1)
    except KeyboardInterrupt:
        complete = False
    world.advance(trace.until if complete else world.now)
    simulation_s = time.perf_counter() - began
    score, line = recorder.score(), recorder.timeline
    return Outcome(policy.name, trace.name, seed, score, line, complete, camera.film, simulation_s)
