"""Parking moves against the budgets: a plan may move an app VM twice to break a swap, and guards saw only the wish.

Separate from the guards because it can be known only once there is a plan. Where parking takes too much, the plan is made
again without it; what is parked is charged to the grant it was parked for. No order of steps may be here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from autoscaler.core.decide import Judged
from autoscaler.core.guards.case import longest_pause_s
from autoscaler.core.ledger import Grant, Ledger
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Migrate, Plan


def plan_within_budgets(
    judged: Judged,
    snapshot: Snapshot,
    ledger: Ledger,
    reserved_bytes: Mapping[str, float],
    limits: Limits,
    shut: Collection[str],
) -> tuple[Plan, tuple[Grant, ...]]:
    """The plan for what was granted, and the grants with all it takes. Nobody is parked on a cloud VM that is `shut`."""

    def plan(no_parking: Collection[str]) -> Plan:
        decision = judged.decision.id
        made = make_plan(f"p{decision[1:]}", decision, snapshot, judged.effects, reserved_bytes, limits, no_parking)
        return judged.certified(made)

    made = plan(shut)
    if too_much(made, judged.grants, ledger, snapshot, limits):
        created = (cloud_vm.id for effect in judged.effects for cloud_vm in effect.creates)
        made = plan({*snapshot.inventory.cloud_row, *created})
    return made, charged(made, judged.grants)


def charged(plan: Plan, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """`grants` with the migrations that the plan makes for each, if those are more than it wished for."""
    extra = Counter({name: times - 1 for name, times in _migrations(plan).items() if times > 1})
    paid: list[Grant] = []
    for grant in reversed(grants):
        mine = sum(extra.pop(name, 0) for name in grant.ids if name in extra)
        paid.append(replace(grant, migrations=grant.migrations + mine) if mine else grant)
    return tuple(reversed(paid))


def too_much(plan: Plan, grants: Sequence[Grant], ledger: Ledger, snapshot: Snapshot, limits: Limits) -> bool:
    """Whether what the plan parks would break a budget of migrations, or somebody's downtime budget."""
    twice = {name: times for name, times in _migrations(plan).items() if times > 1}
    return bool(twice) and (
        _breaks_budget(charged(plan, grants), ledger, snapshot.at, limits)
        or any(_pauses_too_long(name, times, ledger, snapshot, limits) for name, times in twice.items())
    )


def _migrations(plan: Plan) -> Counter[str]:
    return Counter(step.action.app_vm for step in plan.steps if isinstance(step.action, Migrate))


def _breaks_budget(grants: Sequence[Grant], ledger: Ledger, now: float, limits: Limits) -> bool:
    for budget in limits.budgets:
        if budget.migrations is None:
            continue
        earlier = [] if budget.per_s is None else [g for g in ledger.grants if now - g.at < budget.per_s]
        if sum(g.migrations for g in (*earlier, *grants) if g.action in budget.actions) > budget.migrations:
            return True
    return False


def _pauses_too_long(name: str, times: int, ledger: Ledger, snapshot: Snapshot, limits: Limits) -> bool:
    app_vm = snapshot.app_vms[snapshot.inventory.app_row[name]]
    allowed = app_vm.downtime_budget_s if app_vm.downtime_budget_s is not None else limits.downtime_budget_s
    if allowed is None:
        return False
    pauses_s = times * longest_pause_s(name, snapshot, limits)
    return ledger.downtime_s(name, snapshot.at) + pauses_s > allowed
