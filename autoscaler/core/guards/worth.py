"""Guards over price: what a move does to an app VM's downtime budget, and whether a saving is worth its disruption."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case, at_least, longest_pause_s
from autoscaler.core.ledger import DAY_S
from autoscaler.core.migration import predict_totals_s
from autoscaler.core.snapshot import DIRTY, Snapshot

ROUNDING = 1e-9  # sums of floats may differ in the last digit


def downtime_budget(case: Case) -> Denial | None:
    """The pause to be expected (for a saving: the longest), on top of those of the last 24 h, stays within what the app VM (or the policy) allows."""
    over = [short for move in case.effect.moves if (short := _short(case, move.app_vm)) is not None]
    if not over:
        return None
    worst: dict[str, Short] = {}
    for short in over:
        if short.where not in worst or short.needed_s > worst[short.where].needed_s:
            worst[short.where] = short
    ends = [_frees_at(case, short.app_vm, short.allowed_s - short.predicted_s) for short in over]
    first = max(worst.values(), key=lambda short: short.needed_s - short.allowed_s)
    return Denial(
        "downtime_budget",
        f"{first.app_vm} may be paused {first.predicted_s:.2f} s on top of {first.spent_s:.2f} s in 24 h, "
        f"budget {first.allowed_s:.2f} s",
        {"predicted_s": first.predicted_s, "spent_s": first.spent_s, "budget_s": first.allowed_s},
        " and ".join(f"{where}.downtime_budget >= {at_least(short.needed_s, 2)}s" for where, short in worst.items()),
        None if None in ends else max(end for end in ends if end is not None),
    )


@dataclass(frozen=True, slots=True)
class Short:
    """An app VM whose downtime budget is too small for one move; `where` that budget stands."""

    app_vm: str
    where: str
    allowed_s: float
    spent_s: float
    predicted_s: float

    @property
    def needed_s(self) -> float:
        return self.spent_s + self.predicted_s


def _short(case: Case, name: str) -> Short | None:
    own = case.snapshot.app_vms[case.snapshot.inventory.app_row[name]].downtime_budget_s
    allowed_s = case.policy.limits.downtime_budget_s if own is None else own
    if allowed_s is None:
        return None
    spent_s = case.standing.ledger.downtime_s(name, case.now)
    saves = case.action.saves_money  # a saving can wait for a quiet window, an overload cannot
    pause_s = longest_pause_s(name, case.snapshot, case.policy.limits) if saves else case.prediction(name).downtime_s
    short = Short(name, "limits" if own is None else name, allowed_s, spent_s, pause_s)
    return short if short.needed_s > allowed_s + ROUNDING else None


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
    if savings > 0 and score >= needed - ROUNDING:
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
            if spent <= spare_s + ROUNDING:
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
    return float(np.sum(totals_s)) * snapshot.correction.total.factor
