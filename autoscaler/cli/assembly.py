"""A running controller from its parts: which clock, source, actuator and journal the one loop gets. Choices, no behaviour.

Live and shadow differ by the actuator that is put in here, a run that is kept and one that is not by the journal; the loop
never knows. Separate from the commands so that tests put controllers together in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from autoscaler.adapters import codec
from autoscaler.adapters.clock import VirtualClock
from autoscaler.adapters.inbox import Inbox, Receipt
from autoscaler.adapters.journal import Retention, SqliteJournal
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.adapters.shadow import ShadowActuator
from autoscaler.comparison import Comparison, Difference, Relay
from autoscaler.core.engine import Engine
from autoscaler.core.policy import Mode, Policy
from autoscaler.errors import SourceError, UsageError
from autoscaler.ports import Actuator, Clock, Journal
from autoscaler.runtime import Loop, Ports, Watcher
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
class Second:
    """A policy that is run beside the first one and compared with it. Its engine must be another one."""

    engine: Engine
    policy: Policy
    on_difference: Callable[[Difference], None] = lambda _difference: None


@dataclass(frozen=True, slots=True)
class Controller:
    """Ready to `run`. `mode` follows from the wished one and the policy's; `folded`: how many journal entries the start went through; `comparison`: None without a second."""

    loop: Loop
    clock: RunningClock
    inbox: Inbox
    cluster: SimulatedCluster
    mode: Mode
    wished: Mode
    folded: int
    comparison: Comparison | None
    _opened: ExitStack

    @property
    def engine(self) -> Engine:
        return self.loop.engine

    def run(self) -> None:
        """Until the ticks are used up or `stop` is called; what is under way then goes on with the next start."""
        self.loop.run()
        if self.comparison is not None and not self.comparison.failed:
            self.comparison.second.checkpoint(self.cluster.world.now)

    def stop(self) -> None:
        """End after the turn that is under way. Safe in a signal handler."""
        self.clock.stop()

    def adopt(self, policy: Policy) -> Receipt:
        """Decide by `policy` (a checked one) from the next tick on. Raises UsageError where it would change the mode."""
        if mode_of(self.wished, policy) is not self.mode:
            raise UsageError(
                f"policy {policy.name!r} says mode: {policy.mode}, and this controller runs in {self.mode} mode: "
                "a mode is for a whole run; restart to change it"
            )
        return self.inbox.adopt(policy)

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def assemble(
    engine: Engine,
    policy: Policy,
    scenario: Scenario,
    *,
    directory: Path | None = None,
    retention: Retention = UNTOLD,
    mode: Mode = Mode.LIVE,
    every_s: float = 60.0,
    pace: float = math.inf,
    ticks: int | None = None,
    second: Second | None = None,
    watchers: Iterable[Watcher] = (),
    on_source_error: Callable[[float, SourceError], None] = lambda _now, _error: None,
    watch_clock: Callable[[Clock], Clock] = lambda clock: clock,
) -> Controller:
    """A controller on the simulated cluster `scenario`, which goes on from what `directory` keeps (None: nothing is kept).

    `pace`: virtual seconds per real second, infinity = no waiting. `watch_clock` may wrap the clock the loop sees.
    Raises JournalError where the journal cannot be used, UsageError where it belongs to another cluster or mode.
    """
    with ExitStack() as opened:
        journal, cluster = _cluster(scenario, directory, retention, mode_of(mode, policy), opened)
        clock = VirtualClock(lambda: first_tick(engine, cluster.world.now, every_s), every_s, pace=pace, ticks=ticks)
        inbox = Inbox(on_word=clock.wake)
        comparison = _comparison(second, clock, directory, retention, opened) if second is not None else None
        actuator: Actuator = cluster if mode_of(mode, policy) is Mode.LIVE else ShadowActuator()
        ports = Ports(watch_clock(clock), (inbox, cluster), actuator, journal)
        seen_by = (*watchers, comparison) if comparison is not None else tuple(watchers)
        loop = Loop(engine, ports, seen_by, on_source_error)
        folded = loop.recover(cluster.world.now)
        if _is_ahead(cluster.world, engine, every_s):
            loop.skip_numbers()
        if not _decides_by(engine, policy):
            inbox.adopt(policy)
        if comparison is not None and second is not None:
            comparison.begin(second.policy, cluster.world.now)
        return Controller(
            loop, clock, inbox, cluster, mode_of(mode, policy), mode, folded, comparison, opened.pop_all()
        )


def mode_of(wished: Mode, policy: Policy) -> Mode:
    """Shadow where either says so: acting takes both."""
    return Mode.SHADOW if Mode.SHADOW in (wished, policy.mode) else Mode.LIVE


def journal_file(place: Path) -> Path:
    """The journal itself, where `place` is it or the directory that a run keeps it in."""
    return place / JOURNAL_FILE if place.is_dir() else place


def first_tick(engine: Engine, world_now: float, every_s: float) -> float:
    """One cadence after the last observation on record, or when the world is, if that is ahead."""
    seen_at = engine.state.history.at
    return world_now if seen_at is None else max(world_now, seen_at + every_s)


def _is_ahead(world: World, engine: Engine, every_s: float) -> bool:
    """Whether more is missing at the journal's end than the tick in which a run was killed: a copy of it was put back."""
    seen_at = engine.state.history.at
    return world.now > (world.scenario.start_at if seen_at is None else seen_at) + every_s


def _cluster(
    scenario: Scenario, directory: Path | None, retention: Retention, mode: Mode, opened: ExitStack
) -> tuple[Journal, SimulatedCluster]:
    if directory is None:
        return MemoryJournal(), SimulatedCluster(World(scenario))
    journal = _opened(directory / JOURNAL_FILE, opened, retention)
    _check_same(journal, scenario, mode)
    kept = journal.kept(WORLD)
    world = World(scenario) if kept is None else World.restore(scenario, kept)
    return journal, SimulatedCluster(world, on_change=lambda state: journal.stage(WORLD, state))


def _opened(path: Path, opened: ExitStack, retention: Retention) -> SqliteJournal:
    """The simulated world is kept in the same file: a power cut takes the same last moments from both, so that nothing need
    be forced to the disk at each entry."""
    journal = SqliteJournal(path, keep_days=retention.days, keep_bytes=retention.size_bytes, survive_power_loss=False)
    return opened.enter_context(closing(journal))


def _check_same(journal: SqliteJournal, scenario: Scenario, mode: Mode) -> None:
    """A journal belongs to one cluster and one mode: what shadow mode decided must never be carried out."""
    identity = {"mode": mode.value, **codec.tree(codec.dumps(scenario, Scenario))}
    before = journal.kept(IDENTITY)
    if before is None:
        journal.stage(IDENTITY, identity)
        return
    differing = [name for name in identity if identity[name] != before.get(name)]
    if differing:
        raise UsageError(
            f"the journal {journal.path} belongs to a run with another {', '.join(differing)}; undo that change, or name "
            "another journal directory to start anew"
        )


def _comparison(
    second: Second, clock: Clock, directory: Path | None, retention: Retention, opened: ExitStack
) -> Comparison:
    journal = MemoryJournal() if directory is None else _opened(directory / SECOND_JOURNAL_FILE, opened, retention)
    relay = Relay()
    loop = Loop(second.engine, Ports(clock, (relay,), ShadowActuator(), journal))
    return Comparison(loop, relay, second.on_difference)


def _decides_by(engine: Engine, policy: Policy) -> bool:
    """Whether the recovered engine has this very policy: compared as texts, as a journal knows no tuples."""
    mine = engine.state.policy
    return mine is not None and codec.dumps(mine, Policy) == codec.dumps(policy, Policy)
