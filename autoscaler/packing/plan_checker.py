"""Is every instant of a plan safe, and what does it come to? Written against steps alone; it shares nothing with the planner.

For each cloud VM the fullest it can be at any instant of any interleaving that `requires` allows: of those who arrive any may be
there that the others need not wait for, and of those who leave only they have left for whom somebody there had to wait. Memory by allocation, pins, company (who must stay
apart, tenants), and whether the target exists and is not released. No order is trusted. Slow and plain on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoscaler.core.model import AppVM
from autoscaler.core.snapshot import NOWHERE, IntArray, Snapshot
from autoscaler.core.steps import CreateCloudVM, Migrate, Plan, ReleaseCloudVM, StartAppVM, Step, StopAppVM
from autoscaler.packing.problem import Problem


def faults(snapshot: Snapshot, plan: Plan, isolate: str = "") -> tuple[str, ...]:
    """What could go wrong in `plan`, each with its step; empty = nothing. `isolate`: the label whose values never share a
    cloud VM."""
    before = _ancestors(plan)
    memory, cloud = _offered(snapshot, plan)
    found: list[str] = _overfull(snapshot, plan, memory, before)
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
        for other in _company(snapshot, plan, step, target, before):
            if _must_not_share(app_vm, other, isolate):
                found.append(f"{step.id}: {name} may meet {other.id} on {target}, and they must not share it")
    return tuple(found)


def cost(snapshot: Snapshot, plan: Plan, problem: Problem, rows: IntArray) -> float:
    """What the cluster costs over the horizon of `problem` once `plan` is carried out, moving included. `rows`: (items,) the app
    VM of each item of the problem. Who goes back to where it was has not moved, and what is rented and released costs nothing.
    """
    price = {cloud_vm.id: float(problem.bin_price[row]) for row, cloud_vm in enumerate(snapshot.cloud_vms)}
    sizes = {size.name: float(problem.size_price[kind]) for kind, size in enumerate(snapshot.inventory.catalogue)}
    first, last = dict[str, str](), dict[str, str]()
    for step in plan.steps:
        if isinstance(step.action, CreateCloudVM):
            price[step.action.cloud_vm] = sizes[step.action.size.name]
        elif isinstance(step.action, ReleaseCloudVM):
            price.pop(step.action.cloud_vm)
        elif isinstance(step.action, Migrate):
            first.setdefault(step.action.app_vm, step.action.source)
            last[step.action.app_vm] = step.action.target
    item_of = {int(row): item for item, row in enumerate(rows)}
    moved = [item_of[snapshot.inventory.app_row[name]] for name in first if first[name] != last[name]]
    return sum(price.values()) + float(sum(problem.move_cost[item] for item in moved))


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


def _overfull(
    snapshot: Snapshot, plan: Plan, memory: Mapping[str, float], before: Mapping[str, frozenset[str]]
) -> list[str]:
    """Each cloud VM that can hold more than it has, with the last of those who arrive there by then."""
    arriving, leaving, found = dict[str, dict[str, int]](), dict[str, dict[str, int]](), list[str]()
    for step in plan.steps:
        if not _moves(step):
            continue
        if step.action.arrival is not None:
            arriving.setdefault(step.action.arrival[1], {})[step.id] = _app_vm(snapshot, step).memory_bytes
        source = _left(snapshot, step)
        if source:
            leaving.setdefault(source, {})[step.id] = _app_vm(snapshot, step).memory_bytes
    for target in sorted(arriving.keys() & memory.keys()):
        row = snapshot.inventory.cloud_row.get(target, NOWHERE)
        here = snapshot.by_cloud_vm[row] if row != NOWHERE else ()
        held = sum(int(snapshot.inventory.app_memory_bytes[app]) for app in here)
        more, last = _most(arriving[target], leaving.get(target, {}), before)
        if held + more > memory[target] * (1 + 1e-9):
            found.append(
                f"{last}: {target} may hold {held + more:.0f} of {memory[target]:.0f} bytes when it arrives there"
            )
    return found


def _most(
    arriving: Mapping[str, int], leaving: Mapping[str, int], before: Mapping[str, frozenset[str]]
) -> tuple[int, str]:
    """The most that arrivals (step: bytes) and departures can add at any instant, and the last step that has arrived then.

    Whoever arrives has waited for some to leave: the best choice of arrivals, less all those that they waited for, is a closure
    of greatest weight (Picard, Maximal closure of a graph, 1976), found as a flow: each arrival pays its departures.
    """
    awaited = {step: [other for other in leaving if other in before[step]] for step in arriving}
    paid: dict[str, dict[str, int]] = {step: dict.fromkeys(awaited[step], 0) for step in arriving}
    unpaid, left = dict(leaving), dict(arriving)
    for step in arriving:
        while left[step] and (path := _path(step, unpaid, paid)):
            flow = min(
                left[step], unpaid[path[-1]], *(paid[a][d] for d, a in zip(path[1::2], path[2::2], strict=False))
            )
            for payer, departure in zip(path[::2], path[1::2], strict=True):
                paid[payer][departure] += flow
            for departure, payer in zip(path[1::2], path[2::2], strict=False):
                paid[payer][departure] -= flow
            left[step], unpaid[path[-1]] = left[step] - flow, unpaid[path[-1]] - flow
    there = [step for step in arriving if left[step]]
    return sum(left.values()), there[-1] if there else next(iter(arriving))


def _path(step: str, unpaid: Mapping[str, int], paid: Mapping[str, Mapping[str, int]]) -> list[str]:
    """From an arrival over departures that others pay to one that is not paid yet: arrival, departure, arrival, ...; empty: none."""
    reached, waiting = {step: [step]}, [step]
    while waiting:
        payer = waiting.pop(0)
        for departure in paid[payer]:
            if departure in reached:
                continue
            reached[departure] = [*reached[payer], departure]
            if unpaid[departure]:
                return reached[departure]
            for other, pays in paid.items():
                if other not in reached and pays.get(departure):
                    reached[other] = [*reached[departure], other]
                    waiting.append(other)
    return []


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
    return _left(snapshot, step) == source


def _left(snapshot: Snapshot, step: Step) -> str:
    """The cloud VM that somebody leaves by `step`; empty: none."""
    if isinstance(step.action, Migrate):
        return step.action.source
    if not isinstance(step.action, StopAppVM):
        return ""
    row = snapshot.placement[snapshot.inventory.app_row[step.action.app_vm]]
    return "" if row == NOWHERE else snapshot.cloud_vms[row].id


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
