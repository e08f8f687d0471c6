"""A controller at work on a small simulated cluster: one wish is granted at each decision, one is denied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from autoscaler.core.audit import AuditRecord
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Command, Event, PolicyChanged, Record, Word
from autoscaler.core.model import Action, CloudVMSize
from autoscaler.core.policy import Budget, Limits, Policy, StrategySpec
from autoscaler.core.proposals import Proposal, ScaleIn, ScaleOut
from autoscaler.core.snapshot import Snapshot
from autoscaler.errors import UsageError
from autoscaler.ports import Checkpoint
from autoscaler.runtime import Loop, Ports
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import GIB, MIB, DemandShape, Scenario, SimulatedCloudVM, SimulatedService
from autoscaler.sim.world import World
from autoscaler.telemetry.http import Desk
from autoscaler.telemetry.view import Observatory, ObservedClock

START = 1767571200.0
SMALL = CloudVMSize("small", cores=2.0, memory_bytes=4 * GIB, price_per_hour=0.5)


@dataclass(frozen=True)
class Both:
    """One more `web`; and one `db` less, which has as few as it may have."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        last = snapshot.app_vms[int(snapshot.by_service[1][-1])].id
        return (ScaleOut("web", "load is high", {"load": 0.9}), ScaleIn("db", last, "load is low", {"load": 0.1}))


@dataclass
class Minutes:
    """A clock that gives the times it was told to."""

    times: list[float] = field(default_factory=list)

    def ticks(self) -> Iterator[float]:
        yield from self.times


@dataclass(frozen=True)
class Receipt:
    taken: bool

    def wait(self, timeout_s: float) -> bool:
        return self.taken and timeout_s > 0


class Memory:
    """A journal in memory that is an archive, too."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def event(self, event: Event) -> None: ...

    def commands(self, commands: Sequence[Command]) -> None:
        self.records += [command.audit for command in commands if isinstance(command, Record)]

    def checkpoint(self) -> Checkpoint | None:
        return None

    def keep(self, checkpoint: Checkpoint) -> None: ...

    def entries(self) -> Iterator[Event | Command]:
        return iter(())

    def decisions(self, limit: int, before: str | None = None) -> Sequence[AuditRecord]:
        newest = self.records[::-1]
        start = 0 if before is None else newest.index(self.decision(before)) + 1
        return newest[start : start + limit]

    def decision(self, name: str) -> AuditRecord:
        for audit in self.records:
            if audit.decision.id == name:
                return audit
        raise UsageError(f"there is no decision {name}")

    def decisions_about(self, subject: str, limit: int) -> Sequence[AuditRecord]:
        about = [audit for audit in self.records[::-1] if any(d.proposal.key == subject for d in audit.decision.denied)]
        return about[:limit]


@dataclass
class Controller:
    """`said`: what the API left for the loop. `now` of the timer is set by the test."""

    engine: Engine
    observatory: Observatory
    journal: Memory
    loop: Loop
    clock: Minutes
    cluster: SimulatedCluster
    timer: dict[str, float]
    said: list[tuple[Word, str, str, str]] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        return Desk(self.observatory, self.journal, TOOLBOX, self._say, token="t" * 43)

    def _say(self, word: Word, *, subject: str = "", who: str = "", why: str = "") -> Receipt:
        self.said.append((word, subject, who, why))
        return Receipt(taken=subject != "db")

    def run(self, minutes: int) -> None:
        begin = self.cluster.world.now
        self.clock.times = [begin + 60.0 * (minute + 1) for minute in range(minutes)]
        self.loop.run()


def _build(spec: StrategySpec) -> Both:
    del spec
    return Both()


def _never(text: str) -> Any:
    raise AssertionError(text)


TOOLBOX = Toolbox(build_strategy=_build, compile_condition=_never)


def scenario() -> Scenario:
    return Scenario(
        catalogue=(SMALL,),
        cloud_vms=(SimulatedCloudVM("a", "small"), SimulatedCloudVM("b", "small")),
        services=(
            SimulatedService(
                "web", replicas=2, max_replicas=4, memory_bytes=256 * MIB, demand=DemandShape(base_cores=1.0)
            ),
            SimulatedService("db", replicas=1, memory_bytes=512 * MIB, demand=DemandShape(base_cores=0.5)),
        ),
        start_at=START,
    )


@pytest.fixture
def controller() -> Controller:
    """Built, and nothing has happened yet."""
    cluster = SimulatedCluster(World(scenario()))
    engine, clock, journal, timer = Engine(TOOLBOX), Minutes(), Memory(), {"now": 1000.0}
    observatory = Observatory(engine, score=lambda: cluster.world.score, timer=lambda: timer["now"])
    ports = Ports(ObservedClock(clock, observatory), (cluster,), cluster, journal)
    loop = Loop(engine, ports, observatory.watchers, on_source_error=observatory.silent)
    return Controller(engine, observatory, journal, loop, clock, cluster, timer)


@pytest.fixture
def running(controller: Controller) -> Controller:
    """Three minutes later: `web` has as many replicas as it may have."""
    limits = Limits(memory_headroom_fraction=0.0, budgets=(Budget((Action.SCALE_OUT,), count=100),))
    policy = Policy("both", StrategySpec("both"), digest="abc", limits=limits)
    controller.engine.handle(PolicyChanged(START, policy, id="e0"))
    controller.run(minutes=3)
    return controller
