"""A running controller from its parts: which clock, source, actuator and journal the one loop gets. Choices, no behaviour.

Live and shadow differ by the actuator that is put in here, a run that is kept and one that is not by the journal; the loop
never knows. Separate from the commands so that tests put controllers together in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from autoscaler.adapters import codec
from autoscaler.adapters.agents import LiveCluster
from autoscaler.adapters.inbox import Inbox, Receipt
from autoscaler.adapters.journal import Retention
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.adapters.shadow import ShadowActuator
from autoscaler.cli.ground import (
    JOURNAL_FILE,
    SECOND_JOURNAL_FILE,
    UNTOLD,
    WORLD,
    Footing,
    RunningClock,
    first_tick,
    ground,
    open_journal,
)
from autoscaler.comparison import Comparison, Difference, Relay
from autoscaler.config.live import Live
from autoscaler.core.engine import Engine
from autoscaler.core.policy import Mode, Policy
from autoscaler.errors import SourceError, UsageError
from autoscaler.ports import Actuator, Clock, Journal
from autoscaler.runtime import Loop, Ports, Watcher
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import Scenario
from autoscaler.sim.score import Score
from autoscaler.sim.world import World

__all__ = [
    "JOURNAL_FILE", "SECOND_JOURNAL_FILE", "UNTOLD", "WORLD", "Controller", "Second",
    "assemble", "first_tick", "journal_file", "mode_of",
]  # fmt: skip


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
    cluster: SimulatedCluster | LiveCluster
    began_at: float
    mode: Mode
    wished: Mode
    folded: int
    comparison: Comparison | None
    _opened: ExitStack

    @property
    def engine(self) -> Engine:
        return self.loop.engine

    @property
    def world(self) -> World | None:
        """The simulated cluster's; None where the cluster is real."""
        return self.cluster.world if isinstance(self.cluster, SimulatedCluster) else None

    @property
    def score(self) -> Score | None:
        return None if self.world is None else self.world.score

    @property
    def now(self) -> float:
        """The cluster's time; of a real one, that of the last observation."""
        if self.world is not None:
            return self.world.now
        seen_at = self.engine.state.history.at
        return self.began_at if seen_at is None else seen_at

    def run(self) -> None:
        """Until the ticks are used up or `stop` is called; what is under way then goes on with the next start."""
        self.loop.run()
        if self.comparison is not None and not self.comparison.failed:
            self.comparison.second.checkpoint(self.now)

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
    described: Scenario | Live,
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
    notice: Callable[[str], None] = lambda _text: None,
    watch_clock: Callable[[Clock], Clock] = lambda clock: clock,
) -> Controller:
    """A controller on the cluster that is `described`, which goes on from what `directory` keeps (None: nothing is kept).

    `pace`: of a simulated cluster, virtual seconds per real second, infinity = no waiting. `notice` is told what a real one
    has to say between observations. `watch_clock` may wrap the clock the loop sees.
    Raises JournalError where the journal cannot be used, UsageError where it belongs to another cluster or mode.
    """
    chosen = mode_of(mode, policy)
    footing = Footing(engine, chosen, directory, retention, every_s, pace, ticks, notice)
    with ExitStack() as opened:
        on = ground(described, footing, opened)
        inbox = Inbox(on_word=on.clock.wake)
        comparison = _comparison(second, on.clock, footing, opened) if second is not None else None
        actuator: Actuator = on.cluster if chosen is Mode.LIVE else ShadowActuator()
        ports = Ports(watch_clock(on.clock), (inbox, on.cluster), actuator, on.journal)
        seen_by = (*watchers, comparison) if comparison is not None else tuple(watchers)
        loop = Loop(engine, ports, seen_by, on_source_error)
        folded = loop.recover(on.now())
        on.settle(loop)
        if not _decides_by(engine, policy):
            inbox.adopt(policy)
        if comparison is not None and second is not None:
            comparison.begin(second.policy, on.now())
        return Controller(
            loop, on.clock, inbox, on.cluster, on.began_at, chosen, mode, folded, comparison, opened.pop_all()
        )


def mode_of(wished: Mode, policy: Policy) -> Mode:
    """Shadow where either says so: acting takes both."""
    return Mode.SHADOW if Mode.SHADOW in (wished, policy.mode) else Mode.LIVE


def journal_file(place: Path) -> Path:
    """The journal itself, where `place` is it or the directory that a run keeps it in."""
    return place / JOURNAL_FILE if place.is_dir() else place


def _comparison(second: Second, clock: Clock, footing: Footing, opened: ExitStack) -> Comparison:
    journal: Journal = MemoryJournal()
    if footing.directory is not None:
        journal = open_journal(footing.directory / SECOND_JOURNAL_FILE, opened, footing.retention)
    relay = Relay()
    loop = Loop(second.engine, Ports(clock, (relay,), ShadowActuator(), journal))
    return Comparison(loop, relay, second.on_difference)


def _decides_by(engine: Engine, policy: Policy) -> bool:
    """Whether the recovered engine has this very policy: compared as texts, as a journal knows no tuples."""
    mine = engine.state.policy
    return mine is not None and codec.dumps(mine, Policy) == codec.dumps(policy, Policy)
