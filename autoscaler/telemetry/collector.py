"""Metrics for Prometheus, read from the newest view whenever somebody scrapes. Base units, `_total`, bounded label sets.

Labels are actions, outcomes, guards, kinds of step, services and sizes: what operators configure, never ids that come and
go. Every metric is listed in README.md; a test holds the list to this page.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from autoscaler.core.engine import ENGINE_VERSION
from autoscaler.core.events import Outcome
from autoscaler.core.expand import FEASIBLE
from autoscaler.core.flight import running
from autoscaler.core.guards import GUARDS
from autoscaler.core.model import Action, CloudVMState
from autoscaler.core.snapshot import NOWHERE, FloatArray, Snapshot
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StopAppVM
from autoscaler.core.totals import BUCKETS_S, Durations, Totals
from autoscaler.telemetry.placed import placed
from autoscaler.telemetry.trail import DOWNTIME, Trail
from autoscaler.telemetry.used import limits_in_use
from autoscaler.telemetry.view import Observatory, View

ACTION_OUTCOMES = ("granted", "denied", "done", "failed", "withheld", "stuck", "infeasible")
STEP_KINDS = tuple(step.kind for step in (StartAppVM, StopAppVM, CreateCloudVM, ReleaseCloudVM, Cordon, Migrate))
NO_SERVICE = "none"  # label of app VMs that belong to no service


class EngineCollector(Collector):
    """Every metric that is derived from the engine's state; nothing but build info before the first tick has ended."""

    def __init__(self, observatory: Observatory) -> None:
        self._observatory = observatory

    def collect(self) -> Iterator[Metric]:
        yield _build()
        view = self._observatory.view
        if view is not None:
            yield from _controller(view)
            yield from _cloud_vms(view.snapshot)
            yield from placed(view.snapshot)
            yield from _app_vms(view.snapshot)
            yield from _decisions(view.state.totals)
            yield from limits_in_use(view)
            yield from _steps(view, self._observatory.trail)
            yield from _simulated(view)


@dataclass(frozen=True, slots=True)
class Lag(Collector):
    """What must be true at this very moment: it tells of a loop that hangs."""

    observatory: Observatory

    def collect(self) -> Iterator[Metric]:
        view = self.observatory.view
        if view is not None:
            yield _gauge(
                "flexcapsule_journal_lag_seconds",
                "Time since the newest tick was in the journal; grows while the loop hangs",
                self.observatory.timer() - view.published_at,
            )


def registry_of(observatory: Observatory) -> CollectorRegistry:
    """A registry with everything but `Lag`: the engine's state, and what only the loop sees."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (EngineCollector(observatory), *observatory.collectors):
        registry.register(collector)
    return registry


def _build() -> Metric:
    family = InfoMetricFamily("flexcapsule_build", "Versions of what is running")
    family.add_metric(
        [],
        {"version": version("flexcapsule"), "engine": ENGINE_VERSION, "python": platform.python_version()},
    )
    return family


def _controller(view: View) -> Iterator[Metric]:
    state, snapshot, policy = view.state, view.snapshot, view.state.policy
    family = InfoMetricFamily("flexcapsule_policy", "The policy that decides")
    if policy is not None:
        family.add_metric([], {"name": policy.name, "digest": policy.digest, "mode": str(view.mode)})
    yield family
    yield _gauge("flexcapsule_time_seconds", "The controller's time: seconds since the epoch", view.at)
    ages = view.at - snapshot.sampled_at if len(snapshot.app_vms) else np.zeros(1)  # they grow while a source is silent
    yield _labelled(
        GaugeMetricFamily("flexcapsule_sample_age_seconds", "Age of app VMs' newest samples", labels=["which"]),
        {("newest",): float(ages.min()), ("oldest",): float(ages.max())},
    )
    yield _gauge("flexcapsule_paused_subjects", "Subjects an operator has paused", len(state.paused))
    yield _gauge("flexcapsule_stuck_subjects", "Subjects that wait for a person", len(state.alone))
    yield _counter("flexcapsule_alerts_total", "Alerts raised", state.totals.alerts)


def _cloud_vms(snapshot: Snapshot) -> Iterator[Metric]:
    inventory = snapshot.inventory
    sizes = dict.fromkeys((*inventory.sizes, *(cloud_vm.size.name for cloud_vm in inventory.cloud_vms)))
    count: dict[tuple[str, ...], float] = {
        (size, str(state)): 0.0 for size in sizes for state in CloudVMState if state is not CloudVMState.GONE
    }
    cores, memory = dict.fromkeys(sizes, 0.0), dict.fromkeys(sizes, 0.0)
    for cloud_vm in inventory.cloud_vms:
        if cloud_vm.state is not CloudVMState.GONE:
            size = cloud_vm.size.name
            count[size, str(cloud_vm.state)] += 1
            cores[size] += cloud_vm.size.cores
            memory[size] += cloud_vm.size.memory_bytes
    yield _labelled(
        GaugeMetricFamily("flexcapsule_cloud_vms", "Cloud VMs being paid for", labels=["size", "state"]), count
    )
    by_size = [("flexcapsule_cpu_capacity_cores", "Cores that cloud VMs offer", cores)]
    by_size.append(("flexcapsule_memory_capacity_bytes", "Memory that cloud VMs offer", memory))
    for name, text, values in by_size:
        yield _labelled(GaugeMetricFamily(name, text, labels=["size"]), {(size,): v for size, v in values.items()})
    yield _gauge(
        "flexcapsule_price_per_hour", "Price of all cloud VMs, in the catalogue's currency", inventory.price_per_hour
    )


def _app_vms(snapshot: Snapshot) -> Iterator[Metric]:
    """Sums over the running app VMs of each service."""
    placed = snapshot.placement >= 0
    one: FloatArray = np.ones(len(snapshot.app_vms))
    metrics: tuple[tuple[str, str, FloatArray], ...] = (
        ("flexcapsule_app_vms", "App VMs running", one),
        ("flexcapsule_cpu_usage_cores", "CPU that app VMs use", snapshot.cpu_in_use_cores),
        ("flexcapsule_memory_usage_bytes", "Memory that app VMs use", snapshot.memory_in_use_bytes),
        ("flexcapsule_cpu_allocated_cores", "CPU allocated to app VMs", snapshot.inventory.app_cores),
        ("flexcapsule_memory_allocated_bytes", "Memory allocated to app VMs", snapshot.inventory.app_memory_bytes),
    )
    names = (*(service.id for service in snapshot.services), NO_SERVICE)
    column = snapshot.inventory.app_service[placed]
    column = np.where(column == NOWHERE, len(names) - 1, column)
    for name, text, values in metrics:
        sums = np.bincount(column, weights=values[placed], minlength=len(names)).tolist()
        family = GaugeMetricFamily(name, text, labels=["service"])
        yield _labelled(family, {(service,): value for service, value in zip(names, sums, strict=True)})


def _decisions(totals: Totals) -> Iterator[Metric]:
    yield _counter("flexcapsule_cost_total", "Money spent since the journal began", totals.cost)
    yield _labelled(
        CounterMetricFamily(
            "flexcapsule_decisions_total", "Decisions, by whether anything was proposed", labels=["outcome"]
        ),
        {("judged",): totals.decisions - totals.abstained, ("abstained",): totals.abstained},
    )
    yield _labelled(
        CounterMetricFamily(
            "flexcapsule_actions_total", "Proposals, by what came of them", labels=["action", "outcome"]
        ),
        _counts(totals.actions, ((str(action), outcome) for action in Action for outcome in ACTION_OUTCOMES)),
    )
    yield _labelled(
        CounterMetricFamily("flexcapsule_denials_total", "Denied proposals, by the first guard", labels=["guard"]),
        _counts(totals.denials, ((guard,) for guard in (FEASIBLE, *(guard.__name__ for guard in GUARDS)))),
    )


def _steps(view: View, trail: Trail) -> Iterator[Metric]:
    totals = view.state.totals
    yield _labelled(
        CounterMetricFamily("flexcapsule_steps_total", "Steps that ended", labels=["kind", "outcome"]),
        _counts(totals.steps, ((kind, str(outcome)) for kind in STEP_KINDS for outcome in Outcome)),
    )
    durations = HistogramMetricFamily("flexcapsule_step_duration_seconds", "Time that steps done took", labels=["kind"])
    for kind in STEP_KINDS:
        _observe(durations, [kind], totals.step_s.get(kind, Durations()), trail, kind)
    yield durations
    downtime = HistogramMetricFamily("flexcapsule_migration_downtime_seconds", "Pause of an app VM while it migrated")
    _observe(downtime, [], totals.downtime, trail, DOWNTIME)
    yield downtime
    yield _counter("flexcapsule_migration_sent_bytes_total", "Bytes copied by migrations", totals.sent_bytes)
    correction = view.state.correction
    yield _labelled(
        GaugeMetricFamily(
            "flexcapsule_migration_correction_ratio",
            "What predictions of migrations are multiplied by: the median of measured over the model's",
            labels=["figure"],
        ),
        {
            ("total",): correction.total.factor,
            ("downtime",): correction.downtime.factor,
            ("bytes",): correction.sent.factor,
        },
    )
    going = [action.kind for action in running(view.state.sagas)]
    yield _labelled(
        GaugeMetricFamily("flexcapsule_steps_in_flight", "Steps submitted that have not ended", labels=["kind"]),
        {(kind,): going.count(kind) for kind in STEP_KINDS},
    )


def _simulated(view: View) -> Iterator[Metric]:
    if view.score is None:
        return
    yield _counter(
        "flexcapsule_simulated_demand_core_seconds_total",
        "What the simulated load asked for",
        view.score.demanded_core_s,
    )
    yield _counter(
        "flexcapsule_simulated_unserved_core_seconds_total", "What it did not get", view.score.unserved_core_s
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _counts(counts: Mapping[str, int], known: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """The counts, with a zero for each known combination that has not happened: a rate needs a first value."""
    values: dict[tuple[str, ...], float] = dict.fromkeys(known, 0.0)
    values.update({tuple(key.split(" ")): float(count) for key, count in sorted(counts.items())})
    return values


def _observe(family: HistogramMetricFamily, labels: list[str], durations: Durations, trail: Trail, kind: str) -> None:
    """Add a histogram, with an exemplar in each bucket that has one; Prometheus wants cumulative buckets."""
    edges = (*(str(edge) for edge in BUCKETS_S), "+Inf")
    cumulative = np.cumsum(durations.counts).tolist()
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for number, (edge, count) in enumerate(zip(edges, cumulative, strict=True)):
        exemplar = trail.exemplar(kind, number)
        buckets.append((edge, count) if exemplar is None else (edge, count, exemplar))
    family.add_metric(labels, buckets, sum_value=durations.sum_s)
