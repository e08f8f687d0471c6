"""Just before a step runs: does the newest snapshot still allow it, and is its goal perhaps there already.

Separate from `planner` because a plan is made on one snapshot and carried out on later ones. One rule per kind of step in
each function. What runs beside a step counts only by the room it takes and the neighbours it brings; no state may be here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch

from autoscaler.core.expand import clash, other_tenant
from autoscaler.core.model import AppVM, CloudVM, CloudVMState
from autoscaler.core.snapshot import NOWHERE, Snapshot
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StepAction, StopAppVM
from autoscaler.core.wish import mib


@singledispatch
def recheck(action: StepAction, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    """Why `action` must not run now, beside `running`; "" where it may. Raises TypeError for a kind without a rule."""
    del snapshot, running
    raise TypeError(f"no rule for {type(action).__name__}: a kind of step needs two in core/recheck.py")


@singledispatch
def reached(action: StepAction, snapshot: Snapshot) -> bool:
    """Whether what `action` is for is observed already. Raises TypeError for a kind without a rule."""
    del snapshot
    raise TypeError(f"no rule for {type(action).__name__}: a kind of step needs two in core/recheck.py")


@recheck.register
def _(action: Migrate, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    row = snapshot.inventory.app_row.get(action.app_vm)
    if row is None:
        return f"app VM {action.app_vm} is gone"
    here = _place(action.app_vm, snapshot)
    if here != action.source:
        return f"{action.app_vm} {f'is on {here}' if here else 'runs nowhere'}, not on {action.source}"
    return _no_place(action.target, snapshot.app_vms[row], snapshot, running)


@reached.register
def _(action: Migrate, snapshot: Snapshot) -> bool:
    return _place(action.app_vm, snapshot) == action.target


@recheck.register
def _(action: StartAppVM, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    here = _place(action.app_vm.id, snapshot)
    if here:
        return f"{action.app_vm.id} runs already on {here}"
    return _no_place(action.cloud_vm, action.app_vm, snapshot, running)


@reached.register
def _(action: StartAppVM, snapshot: Snapshot) -> bool:
    return _place(action.app_vm.id, snapshot) == action.cloud_vm


@recheck.register
def _(action: StopAppVM, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    """Never refused: one that is not there is a stop that is reached."""
    del action, snapshot, running
    return ""


@reached.register
def _(action: StopAppVM, snapshot: Snapshot) -> bool:
    return not _place(action.app_vm, snapshot)


@recheck.register
def _(action: CreateCloudVM, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    del running
    found = _cloud_vm(action.cloud_vm, snapshot)
    return "" if found is None else f"cloud VM {action.cloud_vm} exists already: {found.state}"


@reached.register
def _(action: CreateCloudVM, snapshot: Snapshot) -> bool:
    found = _cloud_vm(action.cloud_vm, snapshot)
    return found is not None and found.state is CloudVMState.ACTIVE


@recheck.register
def _(action: ReleaseCloudVM, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    del running
    if _cloud_vm(action.cloud_vm, snapshot) is None:
        return f"cloud VM {action.cloud_vm} is gone"
    here = snapshot.by_cloud_vm[snapshot.inventory.cloud_row[action.cloud_vm]]
    return (
        f"{action.cloud_vm} is not empty: {len(here)} app VMs, {snapshot.app_vms[here[0]].id} is one"
        if len(here)
        else ""
    )


@reached.register
def _(action: ReleaseCloudVM, snapshot: Snapshot) -> bool:
    return _cloud_vm(action.cloud_vm, snapshot) is None


@recheck.register
def _(action: Cordon, snapshot: Snapshot, running: Sequence[StepAction] = ()) -> str:
    del running
    return "" if _cloud_vm(action.cloud_vm, snapshot) is not None else f"cloud VM {action.cloud_vm} is gone"


@reached.register
def _(action: Cordon, snapshot: Snapshot) -> bool:
    found = _cloud_vm(action.cloud_vm, snapshot)
    closed = (CloudVMState.CORDONED, CloudVMState.DRAINING)
    return found is not None and found.state in (closed if action.on else (CloudVMState.ACTIVE,))


def mixing(action: StepAction, snapshot: Snapshot, running: Sequence[StepAction], isolate: str) -> str:
    """Why `action` would bring two tenants (by the label `isolate`) together, those that steps under way are bringing
    included; "" where it brings nobody, or only its like."""
    if not isolate or action.arrival is None:
        return ""
    name, target = action.arrival
    row, there = snapshot.inventory.app_row.get(name), snapshot.inventory.cloud_row.get(target)
    if isinstance(action, StartAppVM):
        app_vm = action.app_vm
    elif row is not None:
        app_vm = snapshot.app_vms[row]
    else:
        return ""  # `recheck` says that it is gone
    here = [] if there is None else [snapshot.app_vms[resident] for resident in snapshot.by_cloud_vm[there]]
    here += _coming(target, {other.id for other in here} | {name}, snapshot, running)
    other = other_tenant(app_vm, here, isolate)
    return "" if other is None else f"{name} and {other.id} on {target} are not of one {isolate}"


def _place(app_vm: str, snapshot: Snapshot) -> str:
    """Id of the cloud VM it is observed on, "" where it is on none or does not exist."""
    app = snapshot.inventory.app_row.get(app_vm)
    row = NOWHERE if app is None else int(snapshot.placement[app])
    return "" if row == NOWHERE else snapshot.cloud_vms[row].id


def _cloud_vm(cloud_vm: str, snapshot: Snapshot) -> CloudVM | None:
    row = snapshot.inventory.cloud_row.get(cloud_vm)
    found = None if row is None else snapshot.cloud_vms[row]
    return None if found is None or found.state is CloudVMState.GONE else found


def _no_place(target: str, app_vm: AppVM, snapshot: Snapshot, running: Sequence[StepAction]) -> str:
    """Why `target` cannot take `app_vm` now: gone, closed, pinned elsewhere, the wrong neighbours, or too little memory
    left by the allocations of all that are observed there or on their way."""
    cloud_vm = _cloud_vm(target, snapshot)
    if cloud_vm is None:
        return f"cloud VM {target} is gone"
    if cloud_vm.state is not CloudVMState.ACTIVE:
        return f"{target} takes no app VMs: {cloud_vm.state}"
    if app_vm.pinned_to not in ("", target):
        return f"{app_vm.id} is pinned to {app_vm.pinned_to}"
    here = [snapshot.app_vms[row] for row in snapshot.by_cloud_vm[snapshot.inventory.cloud_row[target]]]
    here += _coming(target, {other.id for other in here} | {app_vm.id}, snapshot, running)
    rival = clash(app_vm, here)
    if rival is not None:
        return f"{app_vm.id} must stay apart from {rival.id} on {target}"
    left, size = cloud_vm.size.memory_bytes - sum(other.memory_bytes for other in here), cloud_vm.size
    if left >= app_vm.memory_bytes:
        return ""
    return f"{target} has {mib(left)} left of {mib(size.memory_bytes)}, {mib(app_vm.memory_bytes)} are needed"


def _coming(target: str, known: set[str], snapshot: Snapshot, running: Sequence[StepAction]) -> Iterator[AppVM]:
    """Those that steps under way bring to `target`, leaving out `known`."""
    for other in running:
        if other.arrival is None or other.arrival[1] != target or other.arrival[0] in known:
            continue
        row = snapshot.inventory.app_row.get(other.arrival[0])
        if row is not None:
            yield snapshot.app_vms[row]
        elif isinstance(other, StartAppVM):
            yield other.app_vm
