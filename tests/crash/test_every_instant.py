"""Killed at every instant of a run and started again: the same placement in the end, nothing done twice, budgets held.

The cluster here is a reality of its own: it is as it was at that instant, whatever the journal knows. (What an embedded
world keeps on the disk, and real kills of a real process, are in test_killed_process.py.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
import restless

from autoscaler.adapters.clock import VirtualClock
from autoscaler.adapters.inbox import Inbox
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.cli.assembly import first_tick
from autoscaler.core.engine import Engine
from autoscaler.core.events import Execute, Record, Undo
from autoscaler.runtime import Loop, Ports, is_event, step_id
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.world import World

TICKS = 64
SCENARIO = restless.scenario()
END = SCENARIO.start_at + (TICKS - 1) * restless.EVERY_S
BEFORE_EVENT, AFTER_EVENT, AFTER_COMMANDS, AFTER_ACT = (
    "before an event is journalled",
    "after an event is journalled",
    "after its commands are journalled",  # and so also between an act and keeping what it did
    "after one of them is acted on",
)


@dataclass(frozen=True)
class Instant:
    """When a kill may come: what the journal holds, what the world is, which steps it has begun, in all."""

    kind: str
    entries: int
    world: dict
    begun: tuple[str, ...]


@dataclass
class Film:
    """A run of which every instant is kept. It is the journal and the actuator of that run, and passes everything on."""

    cluster: SimulatedCluster
    begun: list[str] = field(default_factory=list)
    entries: list = field(default_factory=list)
    checkpoints: list = field(default_factory=list)
    instants: list[Instant] = field(default_factory=list)
    filming: bool = True

    def event(self, event):
        self._shoot(BEFORE_EVENT)
        self.entries.append(event)
        self._shoot(AFTER_EVENT)

    def commands(self, commands):
        self.entries.extend(commands)
        self._shoot(AFTER_COMMANDS)

    def checkpoint(self):
        return self.checkpoints[-1][1] if self.checkpoints else None

    def keep(self, checkpoint):
        apart = MemoryJournal()
        apart.keep(checkpoint)
        self.checkpoints.append((len(self.entries), apart.checkpoint()))

    def prefix(self, entries: int) -> Film:
        """What a journal would hold that was cut off after so many entries."""
        kept = [(covered, checkpoint) for covered, checkpoint in self.checkpoints if covered <= entries]
        copy = MemoryJournal()
        for _, checkpoint in kept[-1:]:
            copy.keep(checkpoint)
        pairs = [(covered, copy.checkpoint()) for covered, _ in kept[-1:]]
        return Film(self.cluster, entries=self.entries[:entries], checkpoints=pairs, filming=False)

    def entries_after_checkpoint(self):
        return iter(self.entries[self.checkpoints[-1][0] if self.checkpoints else 0 :])

    def submit(self, command, now):
        before = self.cluster.world.estate.accepted
        self.cluster.submit(command, now)
        if self.cluster.world.estate.accepted > before:
            self.begun.append(step_id(command))
        self._shoot(AFTER_ACT)

    def ended(self, now):
        return self.cluster.ended(now)

    def _shoot(self, kind):
        if self.filming:
            self.instants.append(Instant(kind, len(self.entries), self.cluster.world.state(), tuple(self.begun)))


@dataclass(frozen=True)
class FilmedJournal:
    """A Film's face as a journal: `entries` is a method there."""

    film: Film

    def event(self, event):
        self.film.event(event)

    def commands(self, commands):
        self.film.commands(commands)

    def checkpoint(self):
        return self.film.checkpoint()

    def keep(self, checkpoint):
        self.film.keep(checkpoint)

    def entries(self):
        return self.film.entries_after_checkpoint()


def run_to_the_end(film: Film) -> Engine:
    engine, inbox, world = Engine(restless.toolbox()), Inbox(), film.cluster.world
    clock = VirtualClock(lambda: first_tick(engine, world.now, restless.EVERY_S), restless.EVERY_S)

    def end_in_time(now, _event, _commands):
        if now >= END:
            clock.stop()

    loop = Loop(engine, Ports(clock, (inbox, film.cluster), film, FilmedJournal(film)), (end_in_time,))
    loop.recover(world.now)
    if engine.state.policy is None:
        inbox.adopt(restless.policy())
    if engine.state.history.at != END:
        loop.run()
    return engine


def placement(world: World) -> Counter:
    """Who is together with whom on what. What was created bears the number of its decision, and an outcome that is told
    twice shifts numbers: so of a replica only the service counts, and of a cloud VM only the size and state."""
    hosted: dict[int, list[str]] = {}
    for app_vm, row in zip(world.estate.apps.identities, world.placement.tolist(), strict=True):
        hosted.setdefault(row, []).append(app_vm.service or app_vm.id)
    return Counter(
        (cloud_vm.size.name, cloud_vm.state.value, tuple(sorted(hosted.get(row, []))))
        for row, cloud_vm in enumerate(world.estate.clouds.identities)
    )


def commands_by_kind(entries: list) -> Counter:
    return Counter(type(entry).__name__ for entry in entries if not is_event(entry))


def check_budgets(entries: list) -> None:
    grants = [
        (entry.audit.decision.at, proposal.action)
        for entry in entries
        if isinstance(entry, Record)
        for proposal in entry.audit.decision.granted
    ]
    for budget in restless.BUDGETS:
        ats = [at for at, action in grants if action in budget.actions]
        for at in ats:
            assert sum(at - budget.per_s < other <= at for other in ats) <= budget.count


@pytest.fixture(scope="module")
def uncrashed() -> Film:
    film = Film(SimulatedCluster(World(SCENARIO)))
    run_to_the_end(film)
    return film


def test_the_run_is_worth_being_killed(uncrashed):
    commands = [entry for entry in uncrashed.entries if not is_event(entry)]
    done = Counter(proposal.action for c in commands if isinstance(c, Record) for proposal in c.audit.decision.granted)
    assert len(done) == 6, "each of the six actions"
    assert len(uncrashed.begun) >= 50
    assert any(isinstance(command, Undo) for command in commands)
    assert len([command for command in commands if isinstance(command, Execute | Undo)]) == len(uncrashed.begun)
    assert len(uncrashed.checkpoints) == 3, "two on the way, so that restarts begin with one, and one at the end"
    check_budgets(uncrashed.entries)


@pytest.mark.parametrize("kind", [BEFORE_EVENT, AFTER_EVENT, AFTER_COMMANDS, AFTER_ACT])
def test_killed_and_started_again_it_ends_where_it_would_have_ended(uncrashed, kind):
    instants = [instant for instant in uncrashed.instants if instant.kind == kind]
    assert len(instants) >= 50
    for instant in instants:
        world = World.restore(SCENARIO, instant.world)
        film = replace(uncrashed.prefix(instant.entries), cluster=SimulatedCluster(world), begun=list(instant.begun))
        run_to_the_end(film)
        where = f"killed {kind}, {instant.entries} entries"
        assert placement(world) == placement(uncrashed.cluster.world), where
        assert len(set(film.begun)) == len(film.begun) == len(uncrashed.begun), f"{where}: a step was begun twice"
        assert commands_by_kind(film.entries) == commands_by_kind(uncrashed.entries), f"{where}: not all is on record"
        assert world.estate.tally.app_vm_starts == uncrashed.cluster.world.estate.tally.app_vm_starts, where
        assert world.estate.tally.app_vms_lost == 0, where
        check_budgets(film.entries)
