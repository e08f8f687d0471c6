"""An estate as JSON-able values and back: what survives when the controller that embeds the world is killed.

Separate because it is a format, and speed matters in it: identities as lists, columns as lists, nothing that follows from the
scenario. NaN and infinity are written as null. No file is opened here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StepAction, StopAppVM
from autoscaler.errors import UsageError
from autoscaler.sim.estate import APP_ROW, CLOUD_ROW, Estate, Underway
from autoscaler.sim.rows import Rows
from autoscaler.sim.scenario import Scenario
from autoscaler.sim.score import Tally

FORMAT = 1
KINDS: Mapping[str, type[StepAction]] = {
    kind.kind: kind for kind in (StartAppVM, StopAppVM, CreateCloudVM, ReleaseCloudVM, Cordon, Migrate)
}
KEPT_OF_APPS = ("place", "paused", "sampled_at", "sample_cores")
KEPT_OF_CLOUDS = ("created_at", "dies_at")
MISSING = {"sample_cores": math.nan, "dies_at": math.inf}


def state_of(estate: Estate) -> dict[str, Any]:
    """JSON-able; lists and dicts of it are the caller's."""
    return {
        "format": FORMAT,
        "now": estate.now,
        "accepted": estate.accepted,
        "rented": estate.rented,
        "cloud_vms": [[c.id, _size_list(c.size), c.state.value] for c in estate.clouds.identities],
        "cloud_columns": {name: _plain(estate.clouds[name].tolist()) for name in KEPT_OF_CLOUDS},
        "app_vms": [_app_list(app_vm) for app_vm in estate.apps.identities],
        "app_columns": {name: _plain(estate.apps[name].tolist()) for name in KEPT_OF_APPS},
        "underway": [_underway_list(under) for under in estate.underway.values()],
        "outcomes": [_outcome_list(ended) for ended in estate.outcomes.values()],
        "unreported": list(estate.unreported),
        "tally": estate.tally.state(),
    }


def estate_from(state: Mapping[str, Any], scenario: Scenario, founded: Estate) -> Estate:
    """The way back; `founded`: the estate at the scenario's first instant, for what is not in the state."""
    if state.get("format") != FORMAT:
        raise UsageError(
            f"the kept world has format {state.get('format')!r}, expected {FORMAT}; remove it to start anew"
        )
    underway = [_underway(fields) for fields in state["underway"]]
    outcomes = [_outcome(fields) for fields in state["outcomes"]]
    estate = Estate(
        scenario=scenario,
        now=state["now"],
        subjects=founded.subjects,
        behaviours=founded.behaviours,
        apps=Rows(APP_ROW, [_app_vm(fields) for fields in state["app_vms"]]),
        clouds=Rows(CLOUD_ROW, [CloudVM(i, CloudVMSize(*s), CloudVMState(w)) for i, s, w in state["cloud_vms"]]),
        underway={under.step: under for under in underway},
        outcomes={ended.step: ended for ended in outcomes},
        unreported=dict.fromkeys(state["unreported"]),
        tally=Tally(**{**state["tally"], "downtime_s_of": dict(state["tally"]["downtime_s_of"])}),
        accepted=state["accepted"],
        rented=state["rented"],
    )
    estate.fill()
    estate.apps["started_at"] = estate.now  # matters only within the window in which it started
    for rows, columns in ((estate.apps, state["app_columns"]), (estate.clouds, state["cloud_columns"])):
        for name, values in columns.items():
            rows[name] = [MISSING[name] if value is None else value for value in values]
    return estate


def _plain(values: list[float]) -> Sequence[float | None]:
    """As JSON has no NaN and no infinity; the check is quicker than the copy."""
    if math.isfinite(sum(values)):
        return values
    return [value if math.isfinite(value) else None for value in values]


def _size_list(size: CloudVMSize) -> list[Any]:
    return [size.name, size.cores, size.memory_bytes, size.price_per_hour]


def _app_list(a: AppVM) -> list[Any]:
    labels = [list(label) for label in a.labels]
    return [a.id, a.service, a.cores, a.memory_bytes, a.pinned_to, list(a.apart_from), a.downtime_budget_s, labels]


def _app_vm(fields: Sequence[Any]) -> AppVM:
    name, service, cores, memory_bytes, pinned_to, apart_from, downtime_budget_s, labels = fields
    pairs = tuple((key, value) for key, value in labels)
    return AppVM(name, service, cores, memory_bytes, pinned_to, tuple(apart_from), downtime_budget_s, pairs)


def _action_list(action: StepAction) -> list[Any]:
    """Kind, then the fields in the order of the dataclass."""
    fields = [getattr(action, name) for name in type(action).__slots__]
    return [action.kind, *(_INNER_OUT.get(type(field), lambda plain: plain)(field) for field in fields)]


def _action(fields: Sequence[Any]) -> StepAction:
    kind, *values = fields
    read: Callable[..., StepAction] = _READ.get(kind, KINDS[kind])
    return read(*values)


_INNER_OUT: Mapping[type[Any], Any] = {AppVM: _app_list, CloudVMSize: _size_list}
_READ: Mapping[str, Any] = {
    StartAppVM.kind: lambda app_vm, cloud_vm: StartAppVM(_app_vm(app_vm), cloud_vm),
    CreateCloudVM.kind: lambda cloud_vm, size: CreateCloudVM(cloud_vm, CloudVMSize(*size)),
}


def _underway_list(u: Underway) -> list[Any]:
    times = [u.began_at, u.ends_at, u.pause_at]
    holds = None if u.holds is None else list(u.holds)
    return [u.step, _action_list(u.action), *times, u.fault, u.downtime_s, u.sent_bytes, holds]


def _underway(fields: Sequence[Any]) -> Underway:
    step, action, began_at, ends_at, pause_at, fault, downtime_s, sent_bytes, holds = fields
    kept = None if holds is None else (holds[0], holds[1])
    return Underway(step, _action(action), began_at, ends_at, pause_at, fault, downtime_s, sent_bytes, kept)


def _outcome_list(e: StepEnded) -> list[Any]:
    return [e.at, e.step, e.outcome.value, e.reason, e.total_s, e.downtime_s, e.sent_bytes]


def _outcome(fields: Sequence[Any]) -> StepEnded:
    at, step, outcome, *measured = fields
    return StepEnded(at, step, Outcome(outcome), *measured)
