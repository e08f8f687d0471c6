"""Plans in flight as seen by the next decision: what they are about, the room they have taken, the slots they leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autoscaler.core.effect import Arrival
from autoscaler.core.history import History
from autoscaler.core.policy import Limits
from autoscaler.core.saga import OPEN, Saga, Status
from autoscaler.core.snapshot import NOWHERE, Inventory
from autoscaler.core.steps import StartAppVM, Step, StepAction, StopAppVM


def open_steps(sagas: Iterable[Saga]) -> Iterator[Step]:
    """Steps that have not ended."""
    return (run.step for saga in sagas for run in saga.runs if run.status in OPEN)


def running(sagas: Iterable[Saga]) -> tuple[StepAction, ...]:
    """What has been submitted and has not ended."""
    return tuple(run.step.action for saga in sagas for run in saga.runs if run.status is Status.RUNNING)


def in_flight(sagas: Iterable[Saga], inventory: Inventory) -> frozenset[str]:
    """Ids that plans in flight are about. A service counts while one of its replicas is being started or stopped: its
    replica count is not what it will be."""
    ids: set[str] = set()
    for step in open_steps(sagas):
        ids.update(step.action.subjects)
        service = service_of(step.action, inventory)
        if service:
            ids.add(service)
    return frozenset(ids)


def filling(sagas: Iterable[Saga]) -> frozenset[str]:
    """Cloud VMs that app VMs are on their way to."""
    return frozenset(step.action.arrival[1] for step in open_steps(sagas) if step.action.arrival is not None)


def arriving(sagas: Iterable[Saga], history: History) -> tuple[Arrival, ...]:
    """App VMs that are on their way and not observed yet where they go."""
    inventory, coming = history.inventory, list[Arrival]()
    for step in open_steps(sagas):
        if step.action.arrival is None:
            continue
        name, target = step.action.arrival
        row = inventory.app_row.get(name)
        if row is not None and inventory.cloud_row.get(target, NOWHERE - 1) == int(history.placement[row]):
            continue
        if row is not None:
            coming.append(Arrival(inventory.app_vms[row], target))
        elif isinstance(step.action, StartAppVM):
            coming.append(Arrival(step.action.app_vm, target))
    return tuple(coming)


def reserved_bytes(sagas: Iterable[Saga], history: History) -> Mapping[str, float]:
    """Cloud VM id -> memory allocated to app VMs that are on their way there and not observed there yet."""
    taken: dict[str, float] = {}
    for arrival in arriving(sagas, history):
        taken[arrival.cloud_vm] = taken.get(arrival.cloud_vm, 0.0) + arrival.app_vm.memory_bytes
    return taken


def slot(action: StepAction, running: tuple[StepAction, ...], limits: Limits) -> bool:
    """Whether one more arrival may run beside `running`: overall, and at either end."""
    if action.arrival is None:
        return True
    busy = [other for other in running if other.arrival is not None]
    ends = [end for other in busy for end in other.cloud_vms]
    here = limits.parallel_migrations_per_cloud_vm
    return len(busy) < limits.parallel_migrations and all(ends.count(end) < here for end in action.cloud_vms)


def service_of(action: StepAction, inventory: Inventory) -> str:
    """The service whose replicas `action` changes; "" where it changes none."""
    if isinstance(action, StartAppVM):
        return action.app_vm.service
    if isinstance(action, StopAppVM) and action.app_vm in inventory.app_row:
        return inventory.app_vms[inventory.app_row[action.app_vm]].service
    return ""
