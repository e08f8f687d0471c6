"""What others may look at while the loop goes on: one immutable view, swapped after each tick, so that nobody blocks one.

Separate from the endpoints because it runs in the loop's thread; they run in another and only ever read `Observatory.view`.
Nothing here decides, waits or writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

from autoscaler.core.engine import Engine
from autoscaler.core.events import Command, Event
from autoscaler.core.policy import Mode
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.errors import SourceError
from autoscaler.ports import Clock
from autoscaler.sim.score import Score
from autoscaler.telemetry.predictions import Predictions
from autoscaler.telemetry.regret import Regret, Truth, Verdict
from autoscaler.telemetry.trail import Trail

TICK_BUCKETS_S = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
)  # the goal is 1 s at 10,000
RELOADS = ("adopted", "refused")

disable_created_metrics()  # type: ignore[no-untyped-call]  # the time a series was made says nothing here and doubles their number


@dataclass(frozen=True, slots=True)
class Beside:
    """A second policy that decides beside the first: ticks on which both wished alike or not, why it was given up (empty: it
    was not), and the newest difference as `action subject`."""

    policy: str
    agreed: int
    differed: int
    failed: str = ""
    last_at: float | None = None
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """All that is shown, as of the end of one tick. `at`: the loop's time; `published_at`: by `Observatory`'s timer;
    `state`: a copy whose parts nobody changes; `mode`: that of the run, which may be stricter than the policy's; `score`: the
    simulated cluster's figures, None where the cluster is real; `regret`: the newest hour that was judged."""

    at: float
    published_at: float
    state: EngineState
    snapshot: Snapshot
    mode: Mode
    score: Score | None
    beside: Beside | None
    regret: Verdict | None = None


class Pulse(Protocol):
    """What the loop measures of itself (see `runtime`)."""

    journal_s: float
    refusals: int


class Watcher(Protocol):
    """Is shown what has happened (see `runtime`)."""

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None: ...


class Observatory:
    """Publishes a View after each tick and counts what only the loop sees: its ticks, silent sources, policy reloads.
    `watchers` are to be the loop's; `pulse`: the loop's, where there is one; `truth`: see `Regret`."""

    def __init__(
        self,
        engine: Engine,
        *,
        mode: Mode = Mode.LIVE,
        score: Callable[[], Score | None] = lambda: None,
        beside: Callable[[], Beside | None] = lambda: None,
        pulse: Callable[[], Pulse | None] = lambda: None,
        truth: Callable[[], Truth | None] = lambda: None,
        on_unjudged: Callable[[str], None] = lambda _reason: None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.view: View | None = None
        self.after_publishing: Callable[[], None] = lambda: None
        self.timer = timer
        self.predictions, self.trail = Predictions(), Trail()
        self.regret = Regret(engine, truth=truth, on_failure=on_unjudged)
        self._pulse, self._refusals = pulse, 0
        self._engine, self._mode, self._score, self._beside = engine, mode, score, beside
        self.tick_s = Histogram(
            "flexcapsule_tick_duration_seconds",
            "Duration of one turn of the loop: observe, decide, plan, journal, submit",
            registry=None,
            buckets=TICK_BUCKETS_S,
        )
        self.source_errors = Counter(
            "flexcapsule_source_errors_total", "Times the cluster could not be observed", registry=None
        )
        self.reloads = Counter(
            "flexcapsule_policy_reloads_total", "Policy files read again, by outcome", ["outcome"], registry=None
        )
        for outcome in RELOADS:
            self.reloads.labels(outcome)
        self.journal_s = Gauge(
            "flexcapsule_journal_write_seconds", "Part of the newest turn that waited for the journal", registry=None
        )
        self.refused = Counter(
            "flexcapsule_actuator_refusals_total", "Submissions that an actuator turned down", registry=None
        )
        self.gap = Gauge(
            "flexcapsule_plan_gap_ratio",
            "Cost of the newest certified plan above its proven lower bound; NaN before there was one",
            registry=None,
        )
        self.gap.set(float("nan"))

    @property
    def collectors(self) -> tuple[Collector, ...]:
        """What is counted here, for a registry."""
        own = (self.tick_s, self.source_errors, self.reloads, self.journal_s, self.refused, self.gap)
        return (*own, *self.predictions.counters, *self.regret.collectors, self.trail)

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """What has to see every event, for figures over time."""
        return (self.predictions, self.regret, self.trail)

    def publish(self, now: float) -> None:
        """Show the state as it is now; call it between ticks, in the loop's thread."""
        state = self._engine.state
        shown = replace(state, totals=deepcopy(state.totals))
        self.view = View(
            now,
            self.timer(),
            shown,
            self._engine.snapshot(),
            self._mode,
            self._score(),
            self._beside(),
            self.regret.newest,
        )
        pulse, plan = self._pulse(), state.last.plan if state.last else None
        if pulse is not None:
            self.journal_s.set(pulse.journal_s)
            self.refused.inc(pulse.refusals - self._refusals)
            self._refusals = pulse.refusals
        if plan is not None and plan.certificate is not None and plan.certificate.gap_fraction is not None:
            self.gap.set(plan.certificate.gap_fraction)
        self.after_publishing()

    def silent(self, now: float, error: SourceError) -> None:
        """A source gave nothing (the loop's `on_source_error`)."""
        del now, error
        self.source_errors.inc()


@dataclass(frozen=True, slots=True)
class ObservedClock:
    """A clock whose ticks are timed and end with a new view. What happens between two ticks is the loop's one turn;
    `before` is called at the beginning of each (to look whether the policy's file has changed)."""

    clock: Clock
    observatory: Observatory
    before: Callable[[], None] = lambda: None

    def ticks(self) -> Iterator[float]:
        timer = self.observatory.timer
        for now in self.clock.ticks():
            began = timer()
            self.before()
            yield now
            self.observatory.tick_s.observe(timer() - began)
            self.observatory.publish(now)
