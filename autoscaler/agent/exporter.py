"""The agent's figures for Prometheus: made from the reports when asked, kept nowhere.

Separate because it is the only module that knows Prometheus; its client is loaded at the first question, not at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoscaler.agent.descriptions import AppVMReport
from autoscaler.agent.keeper import Keeper
from autoscaler.agent.steps import Steps

LABELS = ("app_vm", "uuid", "service")
# name, what it is, kind, where it comes from
PER_APP_VM: tuple[tuple[str, str, str, str], ...] = (
    ("cpu_seconds", "CPU time used since it started on this cloud VM", "counter", "cpu_s"),
    ("memory_used_bytes", "Memory in use, as the app VM says", "gauge", "memory_used_bytes"),
    ("memory_allocated_bytes", "Memory given to it", "gauge", "memory_allocated_bytes"),
    ("load", "Load, as its application says", "gauge", "load"),
    ("received_bytes", "Network bytes received", "counter", "received_bytes"),
    ("sent_bytes", "Network bytes sent", "counter", "sent_bytes"),
    ("moves", "Moves survived", "counter", "moves"),
    ("sample_age_seconds", "Age of what the app VM says", "gauge", "sample_age_s"),
)


def exposition(keeper: Keeper, steps: Steps) -> tuple[bytes, str]:
    """(text, content type)."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Figures(keeper, steps))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Figures:
    def __init__(self, keeper: Keeper, steps: Steps) -> None:
        self._keeper, self._steps = keeper, steps

    def describe(self) -> list[Any]:
        return []  # nothing to compare names with: the registry lives for one answer

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        reports = self._keeper.reports()
        for name, what, kind, source in PER_APP_VM:
            family = families[kind](f"flexcapsule_app_vm_{name}", what, labels=LABELS)
            for report in reports:
                if (value := getattr(report, source)) is not None and report.ended is None:
                    family.add_metric(_labels(report), value)
            yield family
        state = GaugeMetricFamily("flexcapsule_app_vm_state", "1 for the state it is in", labels=(*LABELS, "state"))
        for report in reports:
            state.add_metric((*_labels(report), report.state), 1)
        yield state
        yield from self._host(GaugeMetricFamily)

    def _host(self, family: Any) -> Iterator[Any]:
        seen, now = self._keeper.observation, self._keeper.clock()
        if seen is not None and self._keeper.observed_at is not None:
            yield family("flexcapsule_agent_cores", "Cores of the cloud VM", value=seen.cores)
            yield family("flexcapsule_agent_memory_bytes", "Memory for app VMs", value=seen.memory_bytes)
            yield family("flexcapsule_agent_free_bytes", "Of these, not taken", value=seen.free_bytes)
            age_s = max(0.0, now - self._keeper.observed_at)
            yield family("flexcapsule_agent_observation_age_seconds", "Age of the newest observation", value=age_s)
        outcomes = family("flexcapsule_agent_steps", "Steps remembered", labels=("outcome",))
        for outcome in ("running", "done", "failed"):
            outcomes.add_metric((outcome,), sum(report.outcome == outcome for report in self._steps.all()))
        yield outcomes


def _labels(report: AppVMReport) -> tuple[str, str, str]:
    return report.spec.name, report.spec.uuid, report.spec.service
