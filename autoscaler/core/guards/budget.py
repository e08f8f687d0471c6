"""The guard over how much: counts, shares and migrations per tick or per stretch of time, inside allow-windows only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from autoscaler.core.calendar import any_open, local, opens_at
from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case, at_least
from autoscaler.core.ledger import Grant
from autoscaler.core.model import CloudVMState
from autoscaler.core.policy import Budget

ROUNDING = 1e-9  # 30 % of 10 are 3, not a hair more


def budget(case: Case) -> Denial | None:
    """Every budget of the policy that speaks of this action is open and has something left for it."""
    denials = [
        denial
        for number, limit in enumerate(case.policy.limits.budgets)
        if case.action in limit.actions
        for denial in _refusals(case, limit, number)
    ]
    if len(denials) < 2:
        return denials[0] if denials else None
    ends = [denial.until for denial in denials]
    return Denial(
        "budget",
        "; ".join(denial.reason for denial in denials),
        denials[0].evidence,
        " and ".join(denial.relax for denial in denials),
        None if None in ends else max(end for end in ends if end is not None),
    )


def _refusals(case: Case, limit: Budget, number: int) -> Iterator[Denial]:
    where = f"limits.budgets[{number}]"
    if limit.windows and not any_open(limit.windows, case.now):
        zone = limit.windows[0].time_zone
        here = f"{local(case.now, zone):%A %H:%M} {zone}"
        reason = f"{case.action} is allowed only inside its windows; it is {here}"
        yield Denial("budget", reason, {}, f"{where}.windows: one with {here}", opens_at(limit.windows, case.now))
    spent = case.spent.of(number)
    if limit.count is not None and len(spent) + 1 > limit.count:
        relax = f"{where}.count >= {len(spent) + 1}"
        yield _denial(case, limit, "actions", (len(spent), 1, limit.count), relax, [1] * len(spent), spent)
    if limit.migrations is not None:
        yield from _migrations(case, limit, spent, where)
    if limit.per_cent is not None:
        yield from _share(case, limit, number, where)


def _migrations(case: Case, limit: Budget, spent: Sequence[Grant], where: str) -> Iterator[Denial]:
    assert limit.migrations is not None
    each = [grant.migrations for grant in spent]
    moved, wanted = sum(each), len(case.effect.moves)
    if wanted and moved + wanted > limit.migrations:
        relax = f"{where}.migrations >= {moved + wanted}"
        yield _denial(case, limit, "migrations", (moved, wanted, limit.migrations), relax, each, spent)


def _share(case: Case, limit: Budget, number: int, where: str) -> Iterator[Denial]:
    """A share rounds up, so that 10 % of three is one and not none; 0 % is none. It is one of what was there before."""
    assert limit.per_cent is not None
    if case.action.changes_replicas:
        spent = case.spent.of_key(number, case.proposal.key)
        population = case.view.replicas.get(case.proposal.key, 0)
        population += sum(1 if grant.action.saves_money else -1 for grant in spent)
    else:
        spent = case.spent.of(number)
        population = sum(cloud_vm.state is not CloudVMState.GONE for cloud_vm in case.snapshot.cloud_vms)
    allowed = max(1, ceil(max(population, 0) * limit.per_cent / 100.0 - ROUNDING)) if limit.per_cent > 0 else 0
    if len(spent) + 1 > allowed:
        share = 100.0 * len(spent) / population + 1e-6 if population > 0 and spent else 1e-6
        relax = f"{where}.per_cent >= {at_least(share, 6)}" if len(spent) < population or not spent else "more of them"
        what = f"of {population} ({limit.per_cent:g} %)"
        yield _denial(case, limit, what, (len(spent), 1, allowed), relax, [1] * len(spent), spent)


def _denial(
    case: Case,
    limit: Budget,
    what: str,
    numbers: tuple[int, int, int],
    relax: str,
    each: Sequence[int],
    spent: Sequence[Grant],
) -> Denial:
    """`numbers`: spent, wanted, allowed. `each`: what each of `spent` took."""
    taken, wanted, allowed = numbers
    period = "tick" if limit.per_s is None else f"{limit.per_s:.0f} s"
    reason = f"{taken} {what} used of {allowed} per {period}, {wanted} more wanted"
    evidence = {"spent": taken, "wanted": wanted, "allowed": allowed}
    return Denial("budget", reason, evidence, relax, _frees_at(case, limit, taken + wanted - allowed, each, spent))


def _frees_at(case: Case, limit: Budget, excess: int, each: Sequence[int], spent: Sequence[Grant]) -> float | None:
    """When so much of what was spent has run out that the wish would fit; None where that will never be enough."""
    for grant, took in zip(spent, each, strict=True):
        excess -= took
        if excess <= 0:
            return case.now + case.policy.every_s if limit.per_s is None else grant.at + limit.per_s
    return None
