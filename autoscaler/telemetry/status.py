"""The status document: what the controller believes, spends, does and waits for, read from one published view.

Separate from reports.py (what a decision is) because this is about a moment. Only numbers and names that are in the view.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from autoscaler.core.correction import Correction
from autoscaler.core.saga import Saga, Status
from autoscaler.core.snapshot import CPU, Snapshot
from autoscaler.telemetry.regret import Verdict
from autoscaler.telemetry.reports import DecisionBrief, Report, decision_brief, time_text
from autoscaler.telemetry.view import Beside, View


class PolicyReport(Report):
    name: str
    digest: str
    mode: str
    strategy: str


class CloudVMReport(Report):
    """`memory_load_fraction` is that of the memory allocated to app VMs: what decides whether one more fits."""

    id: str
    size: str
    state: str
    price_per_hour: float
    app_vms: int
    cpu_load_fraction: float
    memory_load_fraction: float


class ServiceReport(Report):
    id: str
    replicas: int
    min_replicas: int
    max_replicas: int
    cpu_load_fraction: float


class PlanInFlight(Report):
    id: str
    done: int
    steps: int
    running: list[str]
    abandoned: str


class Held(Report):
    """A subject that nothing is done with, and why; an empty subject is the whole cluster."""

    subject: str
    why: str


class BesideReport(Report):
    """A second policy that acts on nothing: how often it would have done the same, and the newest difference."""

    policy: str
    agreed: int
    differed: int
    failed: str
    last_at: str | None
    only_first: list[str]
    only_second: list[str]


class RegretReport(Report):
    """The newest whole hour: what was paid, the least it could have cost a clairvoyant, and the share of the demand that was
    lost although the services' limits allowed to serve it (null where the cluster is real)."""

    begins_at: str
    paid: float
    least: float
    lost_fraction: float | None


class MigrationsReport(Report):
    """How many were measured (of the newest), and what predictions are multiplied by since: medians of measured over the model's."""

    measured: int
    total_ratio: float
    downtime_ratio: float
    bytes_ratio: float


class StatusReport(Report):
    version: str
    at: str
    policy: PolicyReport | None
    cloud_vms: list[CloudVMReport]
    services: list[ServiceReport]
    app_vms: int
    cpu_load_fraction: float
    memory_load_fraction: float
    price_per_hour: float
    cost: float
    demand_unserved_fraction: float | None
    oldest_sample_s: float
    decisions: int
    alerts: int
    plans: list[PlanInFlight]
    paused: list[Held]
    stuck: list[Held]
    last: DecisionBrief | None
    second_policy: BesideReport | None
    regret: RegretReport | None
    migrations: MigrationsReport


def status_report(view: View) -> StatusReport:
    state, snapshot = view.state, view.snapshot
    placed = snapshot.placement >= 0
    inventory = snapshot.inventory
    return StatusReport(
        version=version("flexcapsule"),
        at=time_text(view.at),
        policy=_policy(view),
        cloud_vms=_cloud_vms(snapshot),
        services=_services(snapshot),
        app_vms=int(placed.sum()),
        cpu_load_fraction=_share(float(snapshot.cpu_in_use_cores[placed].sum()), float(inventory.cloud_cores.sum())),
        memory_load_fraction=_share(
            float(inventory.app_memory_bytes[placed].sum()), float(inventory.cloud_memory_bytes.sum())
        ),
        price_per_hour=inventory.price_per_hour,
        cost=state.totals.cost,
        demand_unserved_fraction=None if view.score is None else view.score.demand_unserved_fraction,
        oldest_sample_s=float(snapshot.age_s.max()) if len(snapshot.app_vms) else 0.0,
        decisions=state.totals.decisions,
        alerts=state.totals.alerts,
        plans=[_in_flight(saga) for saga in state.sagas],
        paused=[Held(subject=subject, why=why) for subject, why in sorted(state.paused.items())],
        stuck=[Held(subject=subject, why=why) for subject, why in sorted(state.alone.items())],
        last=None if state.last is None else decision_brief(state.last),
        second_policy=None if view.beside is None else _beside(view.beside),
        regret=None if view.regret is None else _regret(view.regret),
        migrations=_migrations(state.correction),
    )


def _migrations(correction: Correction) -> MigrationsReport:
    return MigrationsReport(
        measured=len(correction.total.newest),
        total_ratio=correction.total.factor,
        downtime_ratio=correction.downtime.factor,
        bytes_ratio=correction.sent.factor,
    )


def _policy(view: View) -> PolicyReport | None:
    policy = view.state.policy
    if policy is None:
        return None
    return PolicyReport(name=policy.name, digest=policy.digest, mode=str(view.mode), strategy=policy.strategy.name)


def _beside(beside: Beside) -> BesideReport:
    return BesideReport(
        policy=beside.policy,
        agreed=beside.agreed,
        differed=beside.differed,
        failed=beside.failed,
        last_at=None if beside.last_at is None else time_text(beside.last_at),
        only_first=list(beside.only_first),
        only_second=list(beside.only_second),
    )


def _regret(verdict: Verdict) -> RegretReport:
    lost, asked = verdict.lost_core_s, verdict.asked_core_s
    return RegretReport(
        begins_at=time_text(verdict.begins_at),
        paid=verdict.paid,
        least=verdict.least,
        lost_fraction=None if lost is None or asked is None else _share(lost, asked),
    )


def _cloud_vms(snapshot: Snapshot) -> list[CloudVMReport]:
    inventory = snapshot.inventory
    cpu = snapshot.on_cloud_vms(snapshot.cpu_in_use_cores)
    memory = snapshot.on_cloud_vms(inventory.app_memory_bytes)
    return [
        CloudVMReport(
            id=cloud_vm.id,
            size=cloud_vm.size.name,
            state=str(cloud_vm.state),
            price_per_hour=cloud_vm.size.price_per_hour,
            app_vms=len(snapshot.by_cloud_vm[row]),
            cpu_load_fraction=_share(float(cpu[row]), cloud_vm.size.cores),
            memory_load_fraction=_share(float(memory[row]), float(cloud_vm.size.memory_bytes)),
        )
        for row, cloud_vm in enumerate(snapshot.cloud_vms)
    ]


def _services(snapshot: Snapshot) -> list[ServiceReport]:
    used = np.nan_to_num(snapshot.recent(CPU)) if len(snapshot.app_vms) else np.zeros(0)
    cores = snapshot.inventory.app_cores
    return [
        ServiceReport(
            id=service.id,
            replicas=len(rows),
            min_replicas=service.min_replicas,
            max_replicas=service.max_replicas,
            cpu_load_fraction=_share(float(used[rows].sum()), float(cores[rows].sum())),
        )
        for service, rows in zip(snapshot.services, snapshot.by_service, strict=True)
    ]


def _in_flight(saga: Saga) -> PlanInFlight:
    return PlanInFlight(
        id=saga.plan,
        done=sum(run.status is Status.DONE for run in saga.runs),
        steps=len(saga.runs),
        running=[
            f"{run.step.action.kind} {run.step.action.subjects[0]}" for run in saga.runs if run.status is Status.RUNNING
        ],
        abandoned=saga.abandoned,
    )


def _share(used: float, offered: float) -> float:
    return used / offered if offered > 0 else 0.0
