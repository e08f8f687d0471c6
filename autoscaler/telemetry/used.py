"""What is used of the policy's limits: budgets, downtime, freshness; and who is moved to and fro. Read from the ledger, judged by nobody.

Separate from collector.py because it says how much is left before a guard refuses, for alerts; the guards do not look here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from prometheus_client.core import GaugeMetricFamily, Metric

from autoscaler.core.guards.spent import Spent
from autoscaler.core.ledger import Grant, Ledger
from autoscaler.core.model import CloudVMState
from autoscaler.core.policy import Budget, Policy
from autoscaler.core.snapshot import Snapshot
from autoscaler.telemetry.view import View

OSCILLATION_S = 3600.0  # to, fro, and to again within this long is more than a load's own change
OSCILLATION_TURNS = 2


def limits_in_use(view: View) -> Iterator[Metric]:
    """Nothing of budgets and freshness while there is no policy."""
    policy, ledger = view.state.policy, view.state.ledger
    fresh = GaugeMetricFamily("flexcapsule_fresh_limit_seconds", "Samples older than this lead to no action")
    budgets = GaugeMetricFamily(
        "flexcapsule_budget_used_ratio",
        "Share of a budget of the policy that is used up; 1 = denied",
        labels=["budget"],
    )
    if policy is not None:
        fresh.add_metric([], policy.limits.fresh_s)
        for name, used in budgets_used(policy, ledger, view.snapshot, view.at):
            budgets.add_metric([name], used)
    yield fresh
    yield budgets
    worst_s, over = downtimes(policy, ledger, view.snapshot, view.at)
    yield GaugeMetricFamily(
        "flexcapsule_highest_downtime_seconds", "Pause in 24 h of the app VM that was paused longest", value=worst_s
    )
    yield GaugeMetricFamily(
        "flexcapsule_downtime_over_budget_app_vms",
        "App VMs paused for longer than their budget within 24 h",
        value=over,
    )
    yield GaugeMetricFamily(
        "flexcapsule_oscillating_subjects",
        "Subjects that went one way, back, and the first way again within an hour",
        value=len(oscillating(ledger.grants, view.at)),
    )


def budgets_used(policy: Policy, ledger: Ledger, snapshot: Snapshot, now: float) -> Iterator[tuple[str, float]]:
    """(name as in a denial's `relax`, share used) of each budget over time; those per tick are never used between ticks."""
    spent = Spent(policy.limits, ledger, now)
    for number, budget in enumerate(policy.limits.budgets):
        if budget.per_s is not None:
            yield f"limits.budgets[{number}]", max(_shares(budget, spent.of(number), snapshot), default=0.0)


def _shares(budget: Budget, spent: Sequence[Grant], snapshot: Snapshot) -> Iterator[float]:
    if budget.count is not None:
        yield _share(len(spent), budget.count)
    if budget.migrations is not None:
        yield _share(sum(grant.migrations for grant in spent), budget.migrations)
    if budget.per_cent is not None:
        yield from _shares_of_each(budget.per_cent, spent, snapshot)


def _shares_of_each(per_cent: float, spent: Sequence[Grant], snapshot: Snapshot) -> Iterator[float]:
    """Replicas count by service, cloud VMs all together."""
    replicas = {service.id: len(rows) for service, rows in zip(snapshot.services, snapshot.by_service, strict=True)}
    there = sum(cloud_vm.state is not CloudVMState.GONE for cloud_vm in snapshot.cloud_vms)
    moved = sum(not grant.action.changes_replicas for grant in spent)
    yield _share(moved, ceil(there * per_cent / 100.0))
    for service, count in replicas.items():
        scaled = sum(grant.action.changes_replicas and grant.key == service for grant in spent)
        yield _share(scaled, ceil(count * per_cent / 100.0))


def _share(used: float, allowed: float) -> float:
    if allowed <= 0:
        return 1.0 if used else 0.0
    return used / allowed


def downtimes(policy: Policy | None, ledger: Ledger, snapshot: Snapshot, now: float) -> tuple[float, int]:
    """The longest pause of an app VM in 24 h, and how many of those that exist went over their budget."""
    worst_s, over, rows = 0.0, 0, snapshot.inventory.app_row
    general = None if policy is None else policy.limits.downtime_budget_s
    for name in ledger.pauses:
        paused_s = ledger.downtime_s(name, now)
        worst_s = max(worst_s, paused_s)
        if name in rows:
            own = snapshot.app_vms[rows[name]].downtime_budget_s
            allowed_s = general if own is None else own
            over += allowed_s is not None and paused_s > allowed_s
    return worst_s, over


def oscillating(grants: Iterable[Grant], now: float) -> frozenset[str]:
    """Who was granted one direction, the other, and the first again: replicas and moves each for themselves."""
    directions: dict[tuple[bool, str], bool] = {}
    turns: dict[tuple[bool, str], int] = {}
    for grant in grants:
        if now - grant.at > OSCILLATION_S:
            continue
        for id_ in dict.fromkeys((grant.key, *grant.ids)):
            subject, saves = (grant.action.changes_replicas, id_), grant.action.saves_money
            if directions.setdefault(subject, saves) is not saves:
                directions[subject] = saves
                turns[subject] = turns.get(subject, 0) + 1
    return frozenset(id_ for (_, id_), count in turns.items() if count >= OSCILLATION_TURNS)
