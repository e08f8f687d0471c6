"""A policy driven through a recorded load, for benchmarks that need more than a replay's score: who moved when, or a past to learn from.

Separate from the benchmarks because two of them do it in the same way. The loop, engine and world are those of `flexcapsule replay`.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from autoscaler.adapters.clock import VirtualClock
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.engine import Engine
from autoscaler.core.events import Command, Event, Execute
from autoscaler.core.history import History
from autoscaler.core.past import STEP_S, STEPS_MOST, Past
from autoscaler.core.policy import Policy
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Migrate
from autoscaler.replay.loop import Adoption, Forgetting
from autoscaler.replay.worlds import Stage
from autoscaler.runtime import Loop, Ports
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.score import Score
from autoscaler.sim.traces import Trace
from autoscaler.sim.world import World

OUTCOMES_REMEMBERED = 10_000


class Moves:
    """A watcher of the loop: when each app VM's migrations began."""

    def __init__(self) -> None:
        self.moments: dict[str, list[float]] = defaultdict(list)

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del event
        for command in commands:
            if isinstance(command, Execute) and isinstance(command.step.action, Migrate):
                self.moments[command.step.action.app_vm].append(now)

    def most(self, within_s: float) -> int:
        """Of any one app VM within so much time."""
        return max(
            (sum(first <= at < first + within_s for at in times) for times in self.moments.values() for first in times),
            default=0,
        )


def drive(trace: Trace, policy: Policy, scene: Stage, past: Past | None = None) -> tuple[Score, Moves]:
    """All of `trace` under `policy`, which has `past` behind it."""
    world, moves = World(scene.scenario, demand=scene.demand, remember=OUTCOMES_REMEMBERED), Moves()
    begin_at, cluster = scene.scenario.start_at, SimulatedCluster(world)
    ticks = max(1, math.floor(trace.steps * trace.step_s / policy.every_s))
    clock = VirtualClock(lambda: begin_at, policy.every_s, pace=math.inf, ticks=ticks)
    engine = Engine(TOOLBOX, EngineState(history=History(policy.window_samples, past=past or Past())))
    loop = Loop(engine, Ports(clock, (Adoption(policy, begin_at), cluster), cluster, Forgetting()), (moves,))
    for now in clock.ticks():
        loop.tick(now)
    world.advance(trace.until)
    return world.score, moves


def past_of(trace: Trace, first: int, peak_cores: float) -> Past:
    """What a controller would remember of the steps of `trace` before number `first`: the most of each five minutes."""
    cores = trace.in_cores(peak_cores).cores[:first].T
    begin = math.ceil(trace.start_at / STEP_S) * STEP_S
    skip, fold = round((begin - trace.start_at) / trace.step_s), round(STEP_S / trace.step_s)
    whole = (cores.shape[1] - skip) // fold
    steps = np.nanmax(cores[:, skip : skip + whole * fold].reshape(len(cores), whole, fold), axis=2)
    ordinal = round(begin / STEP_S) + whole
    return Past(trace.subjects, steps[:, -STEPS_MOST:], np.full(len(cores), np.nan), ordinal)
