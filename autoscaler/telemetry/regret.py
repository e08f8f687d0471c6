"""Regret: what the hour just past cost beyond what a clairvoyant would have paid, and which demand it lost. A watcher of the loop.

Separate from the collector because it looks at whole hours (of the cluster's time), not at a moment, and because the bound is
reckoned elsewhere (hindsight.py): here a turn only adds a line to the hour's account. An hour that was not seen from beginning
to end is not judged. Counts from the start of the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Thread

import numpy as np
from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from autoscaler.core.engine import Engine
from autoscaler.core.events import Command, Event, Observed
from autoscaler.core.history import History
from autoscaler.core.snapshot import CPU, FloatArray, Inventory
from autoscaler.telemetry.hindsight import Judge, Question, judged

HOUR_S = 3600.0
COMPLETE = 1e-6  # relative; spans are sums of floats
OUTCOMES = ("judged", "failed", "skipped")
MEANT = 5  # samples behind what is taken for one that did not come
Apart = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Truth:
    """What only a simulated cluster knows. asked_cores: by service and app VM, at this moment; unserved_core_s: so far."""

    asked_cores: Mapping[str, float]
    unserved_core_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One hour: what was paid, the least it could have cost (a bound), and core-seconds asked for and not served although
    the cluster's rules allowed to (None where the cluster is real: it cannot tell)."""

    begins_at: float
    paid: float
    least: float
    asked_core_s: float | None = None
    lost_core_s: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a clairvoyant has to serve at a moment, and what is asked for beyond that: nobody could serve it."""

    cores: float
    memory_bytes: float
    beyond_cores: float


@dataclass(slots=True)
class Account:
    """An hour while it goes on."""

    begins_at: float
    paid: float = 0.0
    asked_core_s: float = 0.0
    lost_core_s: float = 0.0
    moments: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return sum(span_s for span_s, _, _ in self.moments) >= HOUR_S * (1 - COMPLETE)

    def add(self, span_s: float, price_per_hour: float, load: Load, unserved_cores: float) -> None:
        self.moments.append((span_s, load.cores, load.memory_bytes))
        self.paid += price_per_hour * span_s / HOUR_S
        self.asked_core_s += (load.cores + load.beyond_cores) * span_s
        self.lost_core_s += max(0.0, unserved_cores - load.beyond_cores) * span_s


@dataclass(frozen=True, slots=True)
class Mark:
    """The last observation: when, at what price, what was asked for from then on (None: that is known only afterwards)."""

    at: float
    price_per_hour: float
    load: Load | None
    unserved_core_s: float


def _in_background(work: Callable[[], None]) -> None:
    Thread(target=work, name="regret", daemon=True).start()


class Regret:
    """`truth`: None where the cluster is real; then what was used counts as what was asked for. `apart`: runs the judging
    where it holds nobody up. `newest`: the last hour judged."""

    def __init__(
        self,
        engine: Engine,
        *,
        truth: Callable[[], Truth | None] = lambda: None,
        judge: Judge = judged,
        apart: Apart = _in_background,
        on_failure: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.newest: Verdict | None = None
        self._engine, self._truth, self._judge, self._apart, self._on_failure = engine, truth, judge, apart, on_failure
        self._account: Account | None = None
        self._mark: Mark | None = None
        self._known: tuple[Inventory, _Rules] | None = None
        self._busy = False
        self.hours = _counter("flexcapsule_judged_hours_total", "Hours compared with a clairvoyant's", "outcome")
        for outcome in OUTCOMES:
            self.hours.labels(outcome)
        self.paid = _counter("flexcapsule_judged_cost_total", "Money spent in the hours judged")
        self.least = _counter("flexcapsule_clairvoyant_cost_total", "The least that the same hours could have cost")
        self.asked = _counter(
            "flexcapsule_judged_demand_core_seconds_total", "Demand of the hours judged; simulated clusters only"
        )
        self.lost = _counter(
            "flexcapsule_regret_unserved_core_seconds_total",
            "Of it what was not served though the services' limits allowed to",
        )
        self.price = _gauge(
            "flexcapsule_regret_price_per_hour", "Spent beyond the least possible in the newest hour judged"
        )
        self.unserved = _gauge("flexcapsule_regret_unserved_ratio", "Share of the demand lost to policy in that hour")

    @property
    def collectors(self) -> tuple[Collector, ...]:
        return (self.hours, self.paid, self.least, self.asked, self.lost, self.price, self.unserved)

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        """Add what has passed since the last observation to its hour."""
        del now, commands
        if isinstance(event, Observed) and self._engine.state.history.at == event.at:
            self._observed(event.at)

    def _observed(self, at: float) -> None:
        history = self._engine.state.history
        rules, truth, mark = self._rules(history.inventory), self._truth(), self._mark
        unserved_core_s = math.nan if truth is None else truth.unserved_core_s
        if mark is not None and at > mark.at:
            load = rules.load(rules.sums(_used(history))) if mark.load is None else mark.load
            self._pass(mark, at, load, (unserved_core_s - mark.unserved_core_s) / (at - mark.at))
        asked = None if truth is None else rules.load(rules.named(truth.asked_cores))
        self._mark = Mark(at, history.inventory.price_per_hour, asked, unserved_core_s)

    def _pass(self, mark: Mark, until: float, load: Load, unserved_cores: float) -> None:
        """Cut at full hours."""
        begin = mark.at
        while begin < until:
            hour = begin // HOUR_S * HOUR_S
            end = min(until, hour + HOUR_S)
            if self._account is None or self._account.begins_at != hour:
                self._account = Account(hour)
            self._account.add(end - begin, mark.price_per_hour, load, unserved_cores)
            if end == hour + HOUR_S:
                self._close(self._account)
            begin = end

    def _close(self, account: Account) -> None:
        """Hand an hour over, if all of it was seen; one that the last one's judging still holds up is left out."""
        if not account.complete:
            return
        if self._busy:
            self.hours.labels("skipped").inc()
            return
        self._busy = True
        catalogue = self._engine.state.history.inventory.catalogue
        sizes = tuple((size.cores, float(size.memory_bytes), size.price_per_hour) for size in catalogue)
        question = Question(sizes, tuple(account.moments))
        self._apart(lambda: self._judged(account, question))

    def _judged(self, account: Account, question: Question) -> None:
        try:
            least = self._judge(question)
        except (OSError, ValueError) as error:
            self.hours.labels("failed").inc()
            self._on_failure(str(error))
        else:
            self._publish(account, least)
        finally:
            self._busy = False

    def _publish(self, account: Account, least: float) -> None:
        verdict = Verdict(account.begins_at, account.paid, least)
        if self._mark is not None and self._mark.load is not None:
            verdict = replace(verdict, asked_core_s=account.asked_core_s, lost_core_s=account.lost_core_s)
            self.asked.inc(account.asked_core_s)
            self.lost.inc(account.lost_core_s)
            self.unserved.set(account.lost_core_s / account.asked_core_s if account.asked_core_s else 0.0)
        self.hours.labels("judged").inc()
        self.paid.inc(account.paid)
        self.least.inc(least)
        self.price.set(account.paid - least)
        self.newest = verdict

    def _rules(self, inventory: Inventory) -> _Rules:
        if self._known is None or self._known[0] is not inventory:
            self._known = (inventory, _Rules(inventory))
        return self._known[1]


class _Rules:
    """What anybody may serve with, of one inventory: so many replicas of each service, and the app VMs of no service."""

    def __init__(self, inventory: Inventory) -> None:
        services = inventory.services
        alone = [app_vm for app_vm in inventory.app_vms if app_vm.service not in inventory.service_index]
        self._names = (*(service.id for service in services), *(app_vm.id for app_vm in alone))
        row = {name: number for number, name in enumerate(self._names)}
        self._row_of = np.array(
            [row[a.service if a.service in row else a.id] for a in inventory.app_vms], dtype=np.int64
        )
        templates = [*(service.template for service in services), *alone]
        self._cores = np.array([template.cores for template in templates], dtype=np.float64)
        self._memory_bytes = np.array([template.memory_bytes for template in templates], dtype=np.float64)
        ones = [1] * len(alone)
        self._least = np.array([*(service.min_replicas for service in services), *ones], dtype=np.float64)
        self._most = np.array([*(service.max_replicas for service in services), *ones], dtype=np.float64)

    def sums(self, used: FloatArray) -> FloatArray:
        """By service or lone app VM."""
        return np.bincount(self._row_of, weights=used, minlength=len(self._names)).astype(np.float64)

    def named(self, asked: Mapping[str, float]) -> FloatArray:
        return np.array([asked.get(name, 0.0) for name in self._names], dtype=np.float64)

    def load(self, asked_cores: FloatArray) -> Load:
        """What a clairvoyant would have to serve: no more than replicas allowed can, with no fewer than they have to be."""
        cores = np.minimum(asked_cores, self._most * self._cores)
        replicas = np.maximum(self._least, np.ceil(cores / np.maximum(self._cores, 1e-9) - COMPLETE))
        memory_bytes = float((replicas * self._memory_bytes).sum())
        return Load(float(cores.sum()), memory_bytes, float((asked_cores - cores).sum()))


def _used(history: History) -> FloatArray:
    """(app VMs,) cores in use; where the newest sample did not come, the mean of those before it."""
    snapshot = history.snapshot(history.at or 0.0)
    latest = snapshot.latest(CPU)
    return np.nan_to_num(np.where(np.isnan(latest), snapshot.recent(CPU, MEANT), latest))


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=None)


def _gauge(name: str, text: str) -> Gauge:
    gauge = Gauge(name, text, registry=None)
    gauge.set(math.nan)
    return gauge
