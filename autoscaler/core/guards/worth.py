"""Guards over price: what a move does to an app VM's downtime budget, and whether a saving is worth its disruption."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case, at_least
from autoscaler.core.ledger import DAY_S
from autoscaler.core.migration import predict_totals_s
from autoscaler.core.snapshot import DIRTY, Snapshot

ROUNDING_S = 1e-9  # sums of floats may differ in the last digit


def downtime_budget(case: Case) -> Denial | None:
    """The predicted pause, on top of those of the last 24 h, stays within what the app VM (or the policy) allows."""
    for move in case.effect.moves:
        app_vm = case.snapshot.app_vms[case.snapshot.inventory.app_row[move.app_vm]]
        allowed = (
            app_vm.downtime_budget_s if app_vm.downtime_budget_s is not None else case.policy.limits.downtime_budget_s
        )
        if allowed is None:
            continue
        spent = case.standing.ledger.downtime_s(app_vm.id, case.now)
        predicted = case.prediction(app_vm.id).downtime_s
        if spent + predicted > allowed + ROUNDING_S:
            reason = (
                f"{app_vm.id} would be paused {predicted:.2f} s on top of {spent:.2f} s in 24 h, budget {allowed:.2f} s"
            )
            evidence = {"predicted_s": predicted, "spent_s": spent, "budget_s": allowed}
            where = "limits" if app_vm.downtime_budget_s is None else app_vm.id
            relax = f"{where}.downtime_budget >= {at_least(spent + predicted, 2)}s"
            return Denial("downtime_budget", reason, evidence, relax, _frees_at(case, app_vm.id, allowed - predicted))
    return None


def worth_it(case: Case) -> Denial | None:
    """The share of the bill that is saved, over the share of all disruption it takes, is at least 1/k.

    Karpenter's balanced score (kubernetes-sigs/karpenter, designs/balanced-consolidation.md), with migration time as the
    measure of disruption and k in the operator's hand. Speaks only of actions whose purpose is to save money.
    """
    k = case.policy.limits.worth_it_k
    if k is None or not case.action.saves_money or not case.effect.moves:
        return None
    saved = _saved_per_hour(case)
    total = case.snapshot.inventory.price_per_hour
    savings = saved / total if total > 0 else 0.0
    disruption = sum(case.prediction(move.app_vm).total_s for move in case.effect.moves) / _all_disruption_s(
        case.snapshot, case.policy.limits.migration_bandwidth_bytes_per_s
    )
    score = savings / disruption
    needed = 1 / k if k > 0 else float("inf")
    if savings > 0 and score >= needed:
        return None
    reason = f"saves {savings:.1%} of the bill for {disruption:.1%} of all disruption: score {score:.2f}, needed {needed:.2f}"
    evidence = {"savings_fraction": savings, "disruption_fraction": disruption, "score": score, "needed": needed}
    relax = (
        f"limits.worth_it.k >= {at_least(1 / score, 2)}" if score > 0 else "a plan that costs less than what it ends"
    )
    return Denial("worth_it", reason, evidence, relax)


def _frees_at(case: Case, app_vm: str, spare_s: float) -> float | None:
    """When enough of the pauses of the last 24 h are forgotten to leave `spare_s` or less; None: never enough."""
    if spare_s < 0:
        return None
    spent = case.standing.ledger.downtime_s(app_vm, case.now)
    for pause in case.standing.ledger.pauses.get(app_vm, ()):
        if case.now - pause.at < DAY_S:
            spent -= pause.downtime_s
            if spent <= spare_s + ROUNDING_S:
                return pause.at + DAY_S
    return None


def _saved_per_hour(case: Case) -> float:
    view = case.view
    released = sum(view.cloud_vms[view.row_of[id_]].size.price_per_hour for id_ in case.effect.releases)
    return released - sum(cloud_vm.size.price_per_hour for cloud_vm in case.effect.creates)


@lru_cache(maxsize=1)
def _all_disruption_s(snapshot: Snapshot, bandwidth_bytes_per_s: float) -> float:
    """Time it would take to move every running app VM once, by the same model. Remembered for one decision's many cases."""
    running = snapshot.placement >= 0
    dirty = snapshot.latest(DIRTY) if DIRTY in snapshot.usage else np.zeros(len(running))
    totals_s = predict_totals_s(
        snapshot.memory_in_use_bytes[running], np.nan_to_num(dirty[running]), bandwidth_bytes_per_s
    )
    return float(np.sum(totals_s))
