"""What a controller stands on: a simulated cluster or a real one, with its clock and its journal, and what each asks at a start.

Separate from assembly.py because that one joins the loop and never knows which it is. Choices, no behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autoscaler.adapters import codec
from autoscaler.adapters.agents import LiveCluster
from autoscaler.adapters.clock import VirtualClock, WallClock
from autoscaler.adapters.journal import Retention, SqliteJournal
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.cli.live_assembly import identity, live_cluster
from autoscaler.config.live import Live
from autoscaler.core.engine import Engine
from autoscaler.core.policy import Mode
from autoscaler.errors import SourceError, UsageError
from autoscaler.ports import Clock, Journal
from autoscaler.runtime import Loop
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import Scenario
from autoscaler.sim.world import World

JOURNAL_FILE = "journal.sqlite"
SECOND_JOURNAL_FILE = "second-policy.sqlite"
UNTOLD = Retention()
WORLD, IDENTITY = "world", "identity"  # what is kept beside the entries


class RunningClock(Clock, Protocol):
    """A clock that can be ended and woken from a signal handler."""

    def stop(self) -> None: ...

    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Footing:
    """What a start asks for. `pace`: of a simulated cluster only; `notice` is told what a real one says between observations."""

    engine: Engine
    mode: Mode
    directory: Path | None
    retention: Retention
    every_s: float
    pace: float
    ticks: int | None
    notice: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """What differs between a simulated and a real cluster. `settle`: after recovery, what the cluster has to say to the loop."""

    journal: Journal
    cluster: SimulatedCluster | LiveCluster
    clock: RunningClock
    began_at: float
    now: Callable[[], float]
    settle: Callable[[Loop], None]


def ground(described: Scenario | Live, footing: Footing, opened: ExitStack) -> Ground:
    """Raises JournalError where the journal cannot be used, UsageError where it belongs to another cluster or mode."""
    return _live(described, footing, opened) if isinstance(described, Live) else _simulated(described, footing, opened)


def first_tick(engine: Engine, world_now: float, every_s: float) -> float:
    """One cadence after the last observation on record, or when the world is, if that is ahead."""
    seen_at = engine.state.history.at
    return world_now if seen_at is None else max(world_now, seen_at + every_s)


def _is_ahead(world: World, engine: Engine, every_s: float) -> bool:
    """Whether more is missing at the journal's end than the tick in which a run was killed: a copy of it was put back."""
    seen_at = engine.state.history.at
    return world.now > (world.scenario.start_at if seen_at is None else seen_at) + every_s


def _simulated(scenario: Scenario, footing: Footing, opened: ExitStack) -> Ground:
    """The simulated world is kept in the journal's file: a power cut takes the same last moments from both, so that nothing
    need be forced to the disk at each entry."""
    engine, every_s = footing.engine, footing.every_s
    journal: Journal = MemoryJournal()
    if footing.directory is None:
        cluster = SimulatedCluster(World(scenario))
    else:
        journal = kept = open_journal(footing.directory / JOURNAL_FILE, opened, footing.retention)
        _check_same(kept, {"mode": footing.mode.value, **codec.tree(codec.dumps(scenario, Scenario))})
        state = kept.kept(WORLD)
        world = World(scenario) if state is None else World.restore(scenario, state)
        cluster = SimulatedCluster(world, on_change=lambda state: kept.stage(WORLD, state))
    clock = VirtualClock(
        lambda: first_tick(engine, cluster.world.now, every_s), every_s, pace=footing.pace, ticks=footing.ticks
    )

    def settle(loop: Loop) -> None:
        if _is_ahead(cluster.world, engine, every_s):
            loop.skip_numbers()

    return Ground(journal, cluster, clock, scenario.start_at, lambda: cluster.world.now, settle)


def _live(live: Live, footing: Footing, opened: ExitStack) -> Ground:
    """What was decided for a real cluster must be on the disk before it is done: reality remembers what a lost journal forgets."""
    engine, notice = footing.engine, footing.notice
    if footing.directory is None:
        raise UsageError("a live cluster needs a journal; name a directory for it (journal.directory)")
    clock = WallClock(footing.every_s, ticks=footing.ticks)
    journal = open_journal(footing.directory / JOURNAL_FILE, opened, footing.retention, survive_power_loss=True)
    _check_same(journal, {"mode": footing.mode.value, **identity(live)})
    founded = live_cluster(live, journal, now=clock.now(), history=lambda: engine.state.history, notice=notice)
    opened.callback(founded.cluster.close)

    def settle(loop: Loop) -> None:
        """A journal from a backup ends before steps that agents remember: their numbers must not be used again."""
        if engine.state.history.at is not None:
            clock.go_on_from(engine.state.history.at)
        try:
            newest = founded.cluster.newest_step_number(clock.now())
        except SourceError as error:
            notice(f"whether the journal is whole cannot be asked; its numbers are passed over: {error}")
            newest = loop.pulse.number + 1
        if newest > loop.pulse.number:
            loop.skip_numbers()

    return Ground(journal, founded.cluster, clock, founded.began_at, clock.now, settle)


def open_journal(
    path: Path, opened: ExitStack, retention: Retention, *, survive_power_loss: bool = False
) -> SqliteJournal:
    journal = SqliteJournal(
        path,
        keep_days=retention.days,
        keep_bytes=retention.size_bytes,
        survive_power_loss=survive_power_loss,
    )
    return opened.enter_context(closing(journal))


def _check_same(journal: SqliteJournal, mine: Mapping[str, Any]) -> None:
    """A journal belongs to one cluster and one mode: what shadow mode decided must never be carried out."""
    before = journal.kept(IDENTITY)
    if before is None:
        journal.stage(IDENTITY, mine)
        return
    differing = [name for name in mine if mine[name] != before.get(name)]
    if differing:
        raise UsageError(
            f"the journal {journal.path} belongs to a run with another {', '.join(differing)}; undo that change, or name "
            "another journal directory to start anew"
        )
