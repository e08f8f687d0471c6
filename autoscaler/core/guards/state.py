"""Guards over what is known and said: pauses, stuck steps, stale data, plans in flight, the policy's own conditions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autoscaler.core.calendar import local
from autoscaler.core.conditions import context
from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case, at_least
from autoscaler.core.snapshot import IntArray


def paused(case: Case) -> Denial | None:
    """Nobody touches what an operator paused: the cluster, a service, a cloud VM, an app VM."""
    for subject in ("", *_with_services(case)):
        if subject in case.standing.paused:
            why = case.standing.paused[subject]
            name = subject or "the cluster"
            return Denial(
                "paused",
                f"{name} is paused" + (f": {why}" if why else ""),
                relax=f"flexcapsule resume {subject}".strip(),
            )
    return None


def stuck(case: Case) -> Denial | None:
    """What a person must look at first is left alone."""
    for subject in _with_services(case):
        if subject in case.standing.stuck:
            relax = f"look at it, then: flexcapsule resume {subject}"
            return Denial("stuck", f"{subject} is stuck: {case.standing.stuck[subject]}", relax=relax)
    return None


def freshness(case: Case) -> Denial | None:
    """Every app VM on a cloud VM that the effect touches, and every replica of a scaled service, has a fresh sample."""
    snapshot, limit = case.snapshot, case.policy.limits.fresh_s
    concerned = _concerned(case)
    if not concerned or max(snapshot.age_s[rows].max(initial=0.0) for rows in concerned) <= limit:
        return None
    rows = np.unique(np.concatenate(concerned))
    ages = snapshot.age_s[rows]
    oldest = int(np.argmax(ages))
    app_vm, age = snapshot.app_vms[rows[oldest]].id, float(ages[oldest])
    evidence = {"age_s": age, "fresh_s": limit, "stale": float((ages > limit).sum())}
    return Denial(
        "freshness",
        f"the newest sample of {app_vm} is {age:.0f} s old (limit {limit:.0f} s)",
        evidence,
        f"limits.fresh >= {at_least(age)}s",
    )


def in_flight(case: Case) -> Denial | None:
    """Nothing is proposed twice, and nobody is sent where a plan is at work: that is left to that plan."""
    busy = case.snapshot.in_flight
    for subject in (*case.subjects, *case.touched):
        if subject in busy:
            return Denial("in_flight", f"a plan is working on {subject}", relax="the end of that plan")
    for released in case.effect.releases:
        if released in case.standing.filling:
            return Denial("in_flight", f"a plan is moving app VMs to {released}", relax="the end of that plan")
    return None


def condition(case: Case) -> Denial | None:
    """The policy's own CEL conditions for this action."""
    variables: Mapping[str, object] | None = None
    for rule, holds in zip(case.policy.conditions, case.standing.conditions, strict=True):
        if case.action not in rule.actions:
            continue
        if variables is None:
            here = local(case.now, case.policy.time_zone)
            service = getattr(case.proposal, "service", None)
            clock = (here.hour, here.minute, here.weekday())
            variables = context(case.snapshot, case.action, service, case.standing.forecast, clock)
        try:
            held = holds(variables)
        except Exception as error:  # noqa: BLE001  an expression that fails on some value must not stop the controller
            return Denial("condition", f"{rule.when} cannot be evaluated: {error}", relax="a condition that can be")
        if not held:
            return Denial("condition", rule.reason or f"the condition does not hold: {rule.when}", relax=rule.when)
    return None


def _with_services(case: Case) -> tuple[str, ...]:
    index, app_vms = case.snapshot.inventory.app_row, case.snapshot.app_vms
    services = (app_vms[index[subject]].service for subject in case.subjects if subject in index)
    return tuple(dict.fromkeys((*case.subjects, *(s for s in services if s), *case.touched)))


def _concerned(case: Case) -> list[IntArray]:
    inventory, snapshot = case.snapshot.inventory, case.snapshot
    rows = [snapshot.by_cloud_vm[inventory.cloud_row[id_]] for id_ in case.touched if id_ in inventory.cloud_row]
    if case.action.changes_replicas:
        rows += [
            snapshot.by_service[inventory.service_index[id_]] for id_ in case.subjects if id_ in inventory.service_index
        ]
    return rows
