"""Random simulated clusters, random wishes about them, and a loop that writes down all that goes in and out.

Wishes are a pure function of the snapshot and a seed, and choose by row: so a run can be repeated, and renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from clusters import CATALOGUE, MIB
from hypothesis import strategies as st

from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Command, Event, Execute, OperatorSaid, PolicyChanged, Undo, Word
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Limits, Policy, StrategySpec
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.runtime import Loop, Ports
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import (
    DemandShape,
    Faults,
    Scenario,
    SimulatedAppVM,
    SimulatedCloudVM,
    SimulatedService,
    Timing,
)
from autoscaler.sim.world import World

TICK_S = 30.0
MOVERS = (Action.SCALE_UP, Action.SCALE_DOWN, Action.CONSOLIDATE, Action.SEPARATE)


@dataclass(frozen=True)
class RandomWishes:
    """Anything may be wished, much of it nonsense; after `until` nothing is."""

    seed: int
    until: float = np.inf

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        if snapshot.at > self.until:
            return ()
        chance = np.random.default_rng([self.seed, int(snapshot.at)])
        return tuple(wish for _ in range(chance.integers(0, 5)) if (wish := _wish(snapshot, chance)) is not None)


def _wish(snapshot: Snapshot, chance: np.random.Generator) -> Proposal | None:
    clouds, services = snapshot.cloud_vms, snapshot.services
    if not clouds:
        return None
    row = int(chance.integers(len(clouds)))
    here = [snapshot.app_vms[app] for app in snapshot.by_cloud_vm[row]]
    size = CATALOGUE[chance.integers(len(CATALOGUE))].name
    target = clouds[chance.integers(len(clouds))].id
    match int(chance.integers(6)):
        case 0:
            service = services[chance.integers(len(services))].id
            return ScaleOut(service, "random", target=target if chance.random() < 0.3 else None)
        case 1:
            index = int(chance.integers(len(services)))
            rows = snapshot.by_service[index]
            return (
                ScaleIn(services[index].id, snapshot.app_vms[chance.choice(rows)].id, "random") if len(rows) else None
            )
        case 2:
            return ScaleUp(clouds[row].id, size, "random")
        case 3:
            return ScaleDown(clouds[row].id, size, "random")
        case 4:
            return Consolidate(clouds[row].id, tuple(_moves(here, snapshot, chance, 0.0)), "random")
        case _:
            some = [a for a in here if chance.random() < 0.6]
            return Separate(clouds[row].id, tuple(_moves(some, snapshot, chance, 0.4)), "random", new_size=size)


def _moves(app_vms, snapshot: Snapshot, chance: np.random.Generator, new: float) -> Iterator[Move]:
    for app_vm in app_vms:
        target = snapshot.cloud_vms[chance.integers(len(snapshot.cloud_vms))].id
        yield Move(app_vm.id, None if chance.random() < new else target)


@st.composite
def scenarios(draw, faults: bool = True) -> Scenario:
    """Two to five cloud VMs, tight in memory; services and own app VMs with pins and dislikes."""
    sizes = [draw(st.sampled_from(CATALOGUE)).name for _ in range(draw(st.integers(2, 5)))]
    shape = DemandShape(base_cores=0.5, swing_cores=draw(st.sampled_from([0.0, 2.0])), noise_fraction=0.2)
    memory = st.sampled_from([100, 200, 400])
    services = tuple(
        SimulatedService(
            f"[s{n}]",
            replicas=draw(st.integers(1, 2)),
            min_replicas=draw(st.integers(0, 1)),
            max_replicas=draw(st.integers(2, 5)),
            cores=0.5,
            memory_bytes=draw(memory) * MIB,
            apart_from=draw(st.sampled_from([(), (), (f"[s{n}]",)])) if len(sizes) > 2 else (),
            downtime_budget_s=draw(st.sampled_from([None, None, 0.5])),
            demand=shape,
        )
        for n in range(draw(st.integers(1, 2)))
    )
    own = tuple(
        SimulatedAppVM(
            f"[a{n}]",
            cores=0.5,
            memory_bytes=draw(memory) * MIB,
            pinned_to="[c0]" if n == 0 and draw(st.booleans()) else "",
            demand=shape,
        )
        for n in range(draw(st.integers(0, 3)))
    )
    return Scenario(
        catalogue=CATALOGUE,
        cloud_vms=tuple(SimulatedCloudVM(f"[c{n}]", size) for n, size in enumerate(["medium", *sizes[1:]])),
        services=services,
        app_vms=own,
        seed=draw(st.integers(0, 99)),
        timing=Timing(
            cloud_vm_start_up_s=draw(st.sampled_from([20.0, 90.0])),
            bandwidth_bytes_per_s=draw(st.sampled_from([125e6, 4e6])),
            cordon_s=draw(st.sampled_from([0.0, 40.0])),
            app_vm_start_s=draw(st.sampled_from([1.0, 45.0])),
        ),
        faults=Faults(
            failed_step_probability=draw(st.sampled_from([0.0, 0.1])),
            slow_step_probability=draw(st.sampled_from([0.0, 0.3])),
            slow_step_factor=draw(st.sampled_from([3.0, 20.0])),
            lost_sample_probability=draw(st.sampled_from([0.0, 0.1, 0.6])),
            deaths_per_cloud_vm_hour=draw(st.sampled_from([0.0, 0.5])),
        )
        if faults
        else Faults(),
    )


@st.composite
def policies(draw) -> Policy:
    budgets = (
        Budget(MOVERS, count=draw(st.integers(1, 4)), migrations=draw(st.integers(1, 8)), per_s=600.0),
        Budget((Action.SCALE_OUT, Action.SCALE_IN), count=draw(st.integers(1, 2)), per_s=None),
        Budget((Action.SCALE_IN,), per_cent=draw(st.sampled_from([30.0, 100.0])), per_s=300.0),
    )
    limits = Limits(
        fresh_s=draw(st.sampled_from([45.0, 90.0])),
        cooldown_s={Action.CONSOLIDATE: draw(st.sampled_from([0.0, 120.0]))},
        stabilization_s={Action.SCALE_IN: draw(st.sampled_from([0.0, 60.0]))},
        budgets=budgets[: draw(st.integers(0, 3))],
        cpu_headroom_fraction=draw(st.sampled_from([0.0, 0.1])),
        memory_headroom_fraction=draw(st.sampled_from([0.0, 0.05])),
        worth_it_k=draw(st.sampled_from([None, 2.0])),
        parallel_migrations=draw(st.integers(1, 4)),
        parallel_migrations_per_cloud_vm=draw(st.integers(1, 2)),
    )
    return Policy("random", StrategySpec("random"), limits=limits, every_s=TICK_S, window_samples=4)


@dataclass
class Journal:
    """Keeps all in memory; nothing is ever read back."""

    def event(self, event: Event) -> None: ...

    def commands(self, commands: Sequence[Command]) -> None: ...


@dataclass
class Said:
    """A source of what an operator and a policy file say, at given times."""

    words: list[Event] = field(default_factory=list)

    def read(self, now: float) -> Iterator[Event]:
        while self.words and self.words[0].at <= now:
            yield self.words.pop(0)


@dataclass
class Stammering:
    """An actuator that says everything twice, as one may that was asked again."""

    cluster: SimulatedCluster

    def submit(self, command: Execute | Undo, now: float) -> None:
        self.cluster.submit(command, now)
        self.cluster.submit(command, now)

    def ended(self, now: float) -> Iterator[Event]:
        for event in self.cluster.ended(now):
            yield event
            yield event


class Run:
    """One closed loop over a world. `turns`: (now, event, commands) in order."""

    def __init__(self, scenario: Scenario, policy: Policy, wishes, words: Sequence[Event] = ()) -> None:
        self.scenario, self.policy = scenario, policy
        self.cluster = SimulatedCluster(World(scenario))
        self.toolbox = Toolbox(build_strategy=lambda _spec: wishes, compile_condition={}.__getitem__)
        self.engine = Engine(self.toolbox)
        self.turns: list[tuple[float, Event, list[Command]]] = []
        self.now, self.tick_s = scenario.start_at, TICK_S
        said = Said([PolicyChanged(self.now, policy), *words])
        ports = Ports(clock=None, sources=(said, self.cluster), actuator=Stammering(self.cluster), journal=Journal())
        self._loop = Loop(self.engine, ports, watchers=[self._watch])

    def _watch(self, now: float, event: Event, commands: list[Command]) -> None:
        self.turns.append((now, event, commands))

    def tick(self) -> list[tuple[float, Event, list[Command]]]:
        """The turns of the next tick."""
        before = len(self.turns)
        self.now += self.tick_s
        self._loop.tick(self.now)
        return self.turns[before:]


def words_of(chance: np.random.Generator, scenario: Scenario, ticks: int) -> list[Event]:
    """An operator who pauses this and that for a while."""
    subjects = ["", *(c.id for c in scenario.cloud_vms), *(s.id for s in scenario.services)]
    words: list[Event] = []
    for _ in range(int(chance.integers(0, 3))):
        subject = subjects[chance.integers(len(subjects))]
        begin = scenario.start_at + TICK_S * int(chance.integers(1, ticks))
        end = begin + TICK_S * int(chance.integers(1, 12))
        words += [OperatorSaid(begin, Word.PAUSE, subject), OperatorSaid(end, Word.RESUME, subject)]
    return sorted(words, key=lambda word: word.at)
