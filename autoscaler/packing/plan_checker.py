"""Is every instant of a plan safe? Written against steps alone; it shares nothing with the planner, and trusts no order.

For each arrival the worst case over all interleavings that `requires` allows: everybody else who may have arrived by then has,
and nobody has left except those whose departure the arrival waits for. Memory by allocation, pins, company (who must stay
apart, tenants), and whether the target exists and is not released. Slow and plain on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoscaler.core.model import AppVM
from autoscaler.core.snapshot import NOWHERE, Snapshot
from autoscaler.core.steps import CreateCloudVM, Migrate, Plan, ReleaseCloudVM, StartAppVM, Step, StopAppVM


def faults(snapshot: Snapshot, plan: Plan, isolate: str = "") -> tuple[str, ...]:
    """What could go wrong in `plan`, each with its step; empty = nothing. `isolate`: the label whose values never share a
    cloud VM."""
    before = _ancestors(plan)
    memory, cloud = _offered(snapshot, plan)
    found: list[str] = []
    for step in plan.steps:
        arrival = step.action.arrival
        if arrival is None:
            found += _release(snapshot, plan, step, before)
            continue
        name, target = arrival
        if target not in memory:
            found.append(f"{step.id}: {name} goes to {target}, which there is not")
            continue
        if target in cloud and cloud[target] not in before[step.id]:
            found.append(f"{step.id}: {name} may arrive on {target} before that exists")
        app_vm = _app_vm(snapshot, step)
        if app_vm.pinned_to not in ("", target):
            found.append(f"{step.id}: {name} is pinned to {app_vm.pinned_to} and goes to {target}")
        worst = _worst(snapshot, plan, step, target, before)
        if worst > memory[target] * (1 + 1e-9):
            found.append(f"{step.id}: {target} may hold {worst:.0f} of {memory[target]:.0f} bytes when {name} arrives")
        for other in _company(snapshot, plan, step, target, before):
            if _must_not_share(app_vm, other, isolate):
                found.append(f"{step.id}: {name} may meet {other.id} on {target}, and they must not share it")
    return tuple(found)


def _ancestors(plan: Plan) -> dict[str, frozenset[str]]:
    """Step -> all that must have ended before it; a step that requires a later one or an unknown one waits for ever: KeyError."""
    before: dict[str, frozenset[str]] = {}
    for step in plan.steps:
        before[step.id] = frozenset(step.requires).union(*(before[other] for other in step.requires))
    return before


def _offered(snapshot: Snapshot, plan: Plan) -> tuple[dict[str, float], dict[str, str]]:
    """Cloud VM -> its memory less what is reserved; cloud VM that the plan creates -> the step that does."""
    memory = {c.id: c.size.memory_bytes - snapshot.reserved_bytes.get(c.id, 0.0) for c in snapshot.cloud_vms}
    created = {s.action.cloud_vm: s for s in plan.steps if isinstance(s.action, CreateCloudVM)}
    memory |= {
        id_: float(s.action.size.memory_bytes) for id_, s in created.items() if isinstance(s.action, CreateCloudVM)
    }
    return memory, {id_: step.id for id_, step in created.items()}


def _app_vm(snapshot: Snapshot, step: Step) -> AppVM:
    if isinstance(step.action, StartAppVM):
        return step.action.app_vm
    return snapshot.app_vms[snapshot.inventory.app_row[step.action.subjects[0]]]


def _worst(snapshot: Snapshot, plan: Plan, last: Step, target: str, before: Mapping[str, frozenset[str]]) -> float:
    """The most memory on `target` at any instant up to the end of `last`, if that is the last arrival there so far.

    Arrivals that need `last` to have ended come later. Who arrives in the plan may have left again only where `last` waits.
    """
    row = snapshot.inventory.cloud_row.get(target, NOWHERE)
    here = snapshot.by_cloud_vm[row] if row != NOWHERE else ()
    held = sum(float(snapshot.inventory.app_memory_bytes[app]) for app in here)
    for step in plan.steps:
        weight = float(_app_vm(snapshot, step).memory_bytes) if _moves(step) else 0.0
        if step.action.arrival == (step.action.subjects[0], target) and last.id not in before[step.id]:
            held += weight
        if step.id in before[last.id] and _leaves(snapshot, step, target):
            held -= weight
    return held


def _company(
    snapshot: Snapshot, plan: Plan, arrival: Step, target: str, before: Mapping[str, frozenset[str]]
) -> Iterator[AppVM]:
    """Whoever may be on `target` at an instant at which the one that arrives is: each that does not leave before it, and
    that does not come only after it has left."""
    name = arrival.action.subjects[0]
    leaving: dict[str, list[str]] = {}
    for step in plan.steps:
        if _moves(step) and _leaves(snapshot, step, target):
            leaving.setdefault(step.action.subjects[0], []).append(step.id)
    row = snapshot.inventory.cloud_row.get(target, NOWHERE)
    for app in snapshot.by_cloud_vm[row] if row != NOWHERE else ():
        resident = snapshot.app_vms[int(app)]
        if resident.id != name and not any(left in before[arrival.id] for left in leaving.get(resident.id, ())):
            yield resident
    for step in plan.steps:
        other = step.action.subjects[0]
        if step.id == arrival.id or other == name or step.action.arrival != (other, target):
            continue
        gone_before = any(left in before[arrival.id] and step.id in before[left] for left in leaving.get(other, ()))
        comes_after = any(left in before[step.id] and arrival.id in before[left] for left in leaving.get(name, ()))
        if not gone_before and not comes_after:
            yield _app_vm(snapshot, step)


def _must_not_share(one: AppVM, other: AppVM, isolate: str) -> bool:
    if isolate and dict(one.labels).get(isolate, "") != dict(other.labels).get(isolate, ""):
        return True
    shunned = {(one.id, name) for name in other.apart_from} | {(other.id, name) for name in one.apart_from}
    called = {(app.id, name) for app in (one, other) for name in (app.id, app.service) if name}
    return bool(shunned & called)


def _moves(step: Step) -> bool:
    return isinstance(step.action, StartAppVM | StopAppVM | Migrate)


def _leaves(snapshot: Snapshot, step: Step, source: str) -> bool:
    if isinstance(step.action, Migrate):
        return step.action.source == source
    if not isinstance(step.action, StopAppVM):
        return False
    row = snapshot.placement[snapshot.inventory.app_row[step.action.app_vm]]
    return bool(row != NOWHERE and snapshot.cloud_vms[row].id == source)


def _release(snapshot: Snapshot, plan: Plan, step: Step, before: Mapping[str, frozenset[str]]) -> list[str]:
    """A cloud VM is released only after everybody has left it, and nobody arrives for good."""
    if not isinstance(step.action, ReleaseCloudVM):
        return []
    name = step.action.cloud_vm
    row = snapshot.inventory.cloud_row.get(name, NOWHERE)
    inside = {snapshot.app_vms[app].id for app in (snapshot.by_cloud_vm[row] if row != NOWHERE else ())}
    for other in plan.steps:
        if other.action.arrival is not None and other.action.arrival[1] == name:
            inside.add(other.action.arrival[0])
    left = {
        other.action.subjects[0]
        for other in plan.steps
        if other.id in before[step.id] and _moves(other) and _leaves(snapshot, other, name)
    }
    return [f"{step.id}: {name} may be released while {app_vm} is on it" for app_vm in sorted(inside - left)]
