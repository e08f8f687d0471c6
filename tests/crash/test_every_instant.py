"""Killed at every instant of a run and started again: the same placement in the end, nothing done twice, budgets held.

The cluster here is a reality of its own: it is as it was at that instant, whatever the journal knows. (What an embedded
world keeps on the disk, and real kills of a real process, are in test_killed_process.py.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
import restless

from autoscaler.adapters import codec
from autoscaler.adapters.clock import VirtualClock
from autoscaler.adapters.inbox import Inbox
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.cli.assembly import first_tick
from autoscaler.core.engine import Engine
from autoscaler.core.events import Execute, Record, Undo
from autoscaler.core.state import EngineState
from autoscaler.runtime import TICKS_PER_CHECKPOINT, Loop, Ports, is_event, step_id
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.world import World

TICKS = 48
EVERY_NTH = 5  # of the restarts goes to the very end, whether or not it is one run with the other before
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


def run_on(film: Film, until_like: dict[float, tuple] | None = None) -> dict[float, tuple]:
    """To the end, or until all there is, cluster and engine, is as it was at that time in the run it is compared with: from
    there on the two are one run. Returns what there was after each tick."""
    engine, inbox, world = Engine(restless.toolbox()), Inbox(), film.cluster.world
    clock = VirtualClock(lambda: first_tick(engine, world.now, restless.EVERY_S), restless.EVERY_S)

    loop = Loop(engine, Ports(clock, (inbox, film.cluster), film, FilmedJournal(film)))
    loop.recover(world.now)
    if engine.state.policy is None:
        inbox.adopt(restless.policy())
    stood: dict[float, tuple] = {}
    for now in clock.ticks():
        if now > END:
            break
        loop.tick(now)
        if loop.pulse.ticks == TICKS_PER_CHECKPOINT:
            loop.checkpoint(now)
        stood[now] = (world.state(), codec.dumps(engine.state, EngineState))
        if until_like is not None and stood[now] == until_like[now]:
            break
    return stood


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


@dataclass(frozen=True)
class Uncrashed:
    """The run to compare with, and what there was after each of its ticks."""

    film: Film
    stood: dict[float, tuple]


@pytest.fixture(scope="module")
def uncrashed() -> Uncrashed:
    film = Film(SimulatedCluster(World(SCENARIO)))
    return Uncrashed(film, run_on(film))


def test_the_run_is_worth_being_killed(uncrashed):
    film = uncrashed.film
    commands = [entry for entry in film.entries if not is_event(entry)]
    decisions = [command.audit.decision for command in commands if isinstance(command, Record)]
    assert len({wish.action for decision in decisions for wish in decision.granted}) == 6, "each of the six actions"
    assert len(film.begun) >= 50
    assert any(isinstance(command, Undo) for command in commands)
    assert len([command for command in commands if isinstance(command, Execute | Undo)]) == len(film.begun)
    assert len(film.checkpoints) == 1, "restarts fold it all, or begin on the way"
    denials = [denial for decision in decisions for denied in decision.denied for denial in denied.denials]
    assert any(denial.guard == "budget" for denial in denials), "the budgets are felt"
    check_budgets(film.entries)


@pytest.mark.parametrize("kind", [BEFORE_EVENT, AFTER_EVENT, AFTER_COMMANDS, AFTER_ACT])
def test_killed_and_started_again_it_ends_where_it_would_have_ended(uncrashed, kind):
    whole = uncrashed.film
    instants = [(row, instant) for row, instant in enumerate(whole.instants) if instant.kind == kind]
    assert len(instants) >= 40
    for row, instant in instants:
        world = World.restore(SCENARIO, instant.world)
        film = replace(whole.prefix(instant.entries), cluster=SimulatedCluster(world), begun=list(instant.begun))
        to_the_very_end = row % EVERY_NTH == 0
        stood = run_on(film, None if to_the_very_end else uncrashed.stood)
        where = f"killed {kind}, {instant.entries} entries"
        if stood and max(stood) < END:
            assert stood[max(stood)] == uncrashed.stood[max(stood)], where
            assert film.begun == whole.begun[: len(film.begun)], where
        else:
            check_the_end(film, whole, where)
        check_budgets(film.entries)


def check_the_end(film: Film, whole: Film, where: str) -> None:
    tally, expected = film.cluster.world.estate.tally, whole.cluster.world.estate.tally
    assert placement(film.cluster.world) == placement(whole.cluster.world), where
    assert len(set(film.begun)) == len(film.begun) == len(whole.begun), f"{where}: a step was begun twice"
    assert commands_by_kind(film.entries) == commands_by_kind(whole.entries), f"{where}: not all is on record"
    assert (tally.app_vm_starts, tally.app_vms_lost) == (expected.app_vm_starts, 0), where
