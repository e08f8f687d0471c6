"""The guard over how much: counts, shares and migrations per tick or per stretch of time, inside allow-windows only."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from autoscaler.core.calendar import any_open, opens_at
from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case
from autoscaler.core.ledger import Grant
from autoscaler.core.policy import Budget


def budget(case: Case) -> Denial | None:
    """Every budget of the policy that speaks of this action has something left for it."""
    for number, limit in enumerate(case.policy.limits.budgets):
        if case.action in limit.actions:
            denial = _closed(case, limit, number) or _spent(case, limit, number)
            if denial is not None:
                return denial
    return None


def _closed(case: Case, limit: Budget, number: int) -> Denial | None:
    if not limit.windows or any_open(limit.windows, case.now):
        return None
    zone = limit.windows[0].time_zone
    reason = f"{case.action} is allowed only inside its windows ({zone})"
    return Denial("budget", reason, relax=f"limits.budgets[{number}].windows", until=opens_at(limit.windows, case.now))


def _spent(case: Case, limit: Budget, number: int) -> Denial | None:
    spent = _counted(case, limit)
    where = f"limits.budgets[{number}]"
    frees = spent[0].at + limit.per_s if spent and limit.per_s is not None else None
    if limit.count is not None and len(spent) + 1 > limit.count:
        return _denial(f"{where}.count", "actions", len(spent), 1, limit.count, limit, frees)
    if limit.migrations is not None:
        moved, wanted = sum(grant.migrations for grant in spent), len(case.effect.moves)
        if wanted and moved + wanted > limit.migrations:
            return _denial(f"{where}.migrations", "migrations", moved, wanted, limit.migrations, limit, frees)
    if limit.per_cent is not None:
        return _share(case, limit, spent, where, frees)
    return None


def _share(case: Case, limit: Budget, spent: Sequence[Grant], where: str, frees: float | None) -> Denial | None:
    """A share rounds up, so that 10 % of three is one and not none."""
    assert limit.per_cent is not None
    if case.action.changes_replicas:
        spent = [grant for grant in spent if grant.key == case.proposal.key]
        population = case.view.replicas.get(case.proposal.key, 0)
        population += sum(1 if grant.action.saves_money else -1 for grant in spent)
    else:
        population = len(case.snapshot.cloud_vms)
    allowed = max(1, ceil(max(population, 0) * limit.per_cent / 100.0))
    if len(spent) + 1 <= allowed:
        return None
    return _denial(f"{where}.per_cent", f"of {population}", len(spent), 1, allowed, limit, frees)


def _counted(case: Case, limit: Budget) -> Sequence[Grant]:
    if limit.per_s is None:
        return [grant for grant in case.granted if grant.action in limit.actions]
    earlier = (grant for grant in case.standing.ledger.grants if case.now - grant.at < limit.per_s)
    return [grant for grant in (*earlier, *case.granted) if grant.action in limit.actions]


def _denial(where: str, what: str, spent: int, wanted: int, allowed: int, limit: Budget, frees: float | None) -> Denial:
    period = "tick" if limit.per_s is None else f"{limit.per_s:.0f} s"
    reason = f"budget: {spent} {what} used of {allowed} per {period}, {wanted} more wanted"
    evidence = {"spent": spent, "wanted": wanted, "allowed": allowed}
    return Denial("budget", reason, evidence, f"{where} >= {spent + wanted}", frees)
