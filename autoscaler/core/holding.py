"""Why a step must wait now though it may be right: an operator's pause, something stuck, stale data, another plan's step.

Separate from `recheck`, which says what no longer fits: what is held may go on later. Also where a saga's `Eyes` are made.
No branch per kind of step: a step says itself whom it changes (`subjects`) and where it runs (`cloud_vms`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autoscaler.core.flight import running, service_of, slot
from autoscaler.core.policy import Limits
from autoscaler.core.recheck import mixing, reached, recheck
from autoscaler.core.saga import OPEN, Eyes, Saga, Status
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import StepAction


def eyes(
    snapshot: Snapshot, others: Sequence[Saga], limits: Limits, paused: Mapping[str, str], stuck: Mapping[str, str]
) -> Eyes:
    """What one saga sees on `snapshot`, beside the `others`."""
    beside = tuple(action for action in running(others) if action.arrival)
    aims, busy = _aims(others), _busy(others)

    def hold(action: StepAction) -> str:
        return halted(action, snapshot, paused, stuck) or stale(action, snapshot, limits.fresh_s) or crossing(action)

    def crossing(action: StepAction) -> str:
        """Another plan is at work on it, or is bringing somebody to the cloud VM that it changes."""
        for id_ in (*action.subjects, *action.cloud_vms):
            if id_ in busy:
                return f"another plan is at work on {id_}"
        coming = next((id_ for id_ in action.subjects if id_ in aims), "")
        return f"another plan is bringing {aims[coming]} to {coming}" if coming else ""

    return Eyes(
        hold=hold,
        recheck=lambda action, own: (
            recheck(action, snapshot, own + beside) or mixing(action, snapshot, own + beside, limits.isolate)
        ),
        reached=lambda action: reached(action, snapshot),
        slot=lambda action, own: slot(action, own + beside, limits),
        patience_s=limits.fresh_s,
    )


def halted(action: StepAction, snapshot: Snapshot, paused: Mapping[str, str], stuck: Mapping[str, str]) -> str:
    """An operator paused, or a person must look first at, somebody whom `action` concerns."""
    for id_ in _concerned(action, snapshot):
        if id_ in paused:
            return f"{id_ or 'the cluster'} is paused"
        if id_ in stuck:
            return f"{id_} is stuck"
    return ""


def stale(action: StepAction, snapshot: Snapshot, fresh_s: float) -> str:
    """Nothing is done on old news: of the whole cluster, of the app VM itself, of those who run where it happens."""
    if not len(snapshot.app_vms):
        return ""
    youngest = float(snapshot.age_s.min())
    if youngest > fresh_s:
        return f"the newest sample of all is {youngest:.0f} s old (limit {fresh_s:.0f} s)"
    inventory = snapshot.inventory
    rows = [np.array([inventory.app_row[id_]]) for id_ in action.subjects if id_ in inventory.app_row]
    rows += [snapshot.by_cloud_vm[inventory.cloud_row[id_]] for id_ in action.cloud_vms if id_ in inventory.cloud_row]
    for row in np.concatenate(rows) if rows else ():
        if snapshot.age_s[row] > fresh_s:
            name, age = snapshot.app_vms[row].id, float(snapshot.age_s[row])
            return f"the newest sample of {name} is {age:.0f} s old (limit {fresh_s:.0f} s)"
    return ""


def _concerned(action: StepAction, snapshot: Snapshot) -> tuple[str, ...]:
    """The cluster (""), and the step's subjects with their services, and its cloud VMs."""
    app_row, app_vms = snapshot.inventory.app_row, snapshot.app_vms
    services = [app_vms[app_row[id_]].service for id_ in action.subjects if id_ in app_row]
    services.append(service_of(action, snapshot.inventory))
    return ("", *action.subjects, *(service for service in services if service), *action.cloud_vms)


def _aims(others: Sequence[Saga]) -> dict[str, str]:
    """Cloud VM -> an app VM that one of the others will bring there."""
    arrivals = (run.step.action.arrival for saga in others for run in saga.runs if run.status in OPEN)
    return {arrival[1]: arrival[0] for arrival in arrivals if arrival is not None}


def _busy(others: Sequence[Saga]) -> set[str]:
    """What steps of the others that run now are changing."""
    underway = (Status.RUNNING, Status.UNDOING)
    return {id_ for saga in others for run in saga.runs if run.status in underway for id_ in run.step.action.subjects}
