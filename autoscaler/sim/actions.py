"""How each kind of step goes in the simulated cluster: one `Deed` per action of core/steps, and one table of them.

Separate from the world so that a new kind of action adds a deed here and a branch nowhere. A deed begins (or refuses, with
the reason), and later is finished or abandoned. Time, faults and rates are the world's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.core.migration import predict
from autoscaler.core.model import CloudVM, CloudVMState
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StepAction, StopAppVM
from autoscaler.sim.chance import Purpose, stream
from autoscaler.sim.estate import Estate, RefusedError, Underway

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Course:
    """How a step will go if nothing happens to it; see Underway for `holds`."""

    total_s: float
    downtime_s: float = 0.0
    sent_bytes: float = 0.0
    holds: tuple[str, int] | None = None


def _nothing(_estate: Estate, _under: Underway) -> None:
    """What there is to do when nothing has been changed yet."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`begin(estate, action, slowness)` checks and says how long it takes (slowness 1 = as usual). `cloud_vms`: whose death
    ends it."""

    begin: Callable[[Estate, Any, float], Course]
    finish: Callable[[Estate, Underway, Any], None]
    cloud_vms: Callable[[Any], tuple[str, ...]]
    abandon: Callable[[Estate, Underway], None] = _nothing


def bandwidth(estate: Estate, *cloud_vms: str) -> float:
    """A migration gets the network's bandwidth divided by the number of migrations, itself included, at whichever of its two
    ends has more of them when it begins, and keeps that; those already under way are not slowed down."""
    migrations = [u.action for u in estate.underway.values() if isinstance(u.action, Migrate)]
    crowd = max(sum(cloud_vm in (m.source, m.target) for m in migrations) for cloud_vm in cloud_vms)
    return estate.scenario.timing.bandwidth_bytes_per_s / (1 + crowd)


def death_at(estate: Estate) -> float:
    """When the next cloud VM to be rented dies: never, or after an exponentially distributed life."""
    per_hour = estate.scenario.faults.deaths_per_cloud_vm_hour
    if per_hour <= 0:
        return math.inf
    luck = stream(estate.scenario.seed, Purpose.DEATH, estate.rented)
    return estate.now + float(luck.exponential(HOUR_S / per_hour))


def begin_start(estate: Estate, action: StartAppVM, slowness: float) -> Course:
    name = action.app_vm.id
    if estate.apps.row(name) is not None or estate.busy(name):
        raise RefusedError(f"app VM {name!r} is there already")
    estate.check_arrival(action.cloud_vm, action.app_vm.memory_bytes)
    total_s = estate.scenario.timing.app_vm_start_s * slowness
    return Course(total_s, holds=(action.cloud_vm, action.app_vm.memory_bytes))


def finish_start(estate: Estate, _under: Underway, action: StartAppVM) -> None:
    estate.add_app(action.app_vm, estate.cloud(action.cloud_vm))
    estate.tally.app_vm_starts += 1


def begin_stop(estate: Estate, action: StopAppVM, slowness: float) -> Course:
    estate.app(action.app_vm)
    if estate.busy(action.app_vm):
        raise RefusedError(f"another step is about app VM {action.app_vm!r}")
    return Course(estate.scenario.timing.app_vm_stop_s * slowness)


def finish_stop(estate: Estate, _under: Underway, action: StopAppVM) -> None:
    estate.remove_app(estate.app(action.app_vm))
    estate.tally.app_vm_stops += 1


def begin_create(estate: Estate, action: CreateCloudVM, slowness: float) -> Course:
    if estate.clouds.row(action.cloud_vm) is not None:
        raise RefusedError(f"cloud VM {action.cloud_vm!r} is there already")
    if action.size not in estate.scenario.catalogue:
        raise RefusedError(f"the catalogue has no cloud VM size {action.size.name!r} like this")
    estate.add_cloud(CloudVM(action.cloud_vm, action.size, CloudVMState.STARTING), death_at(estate))
    return Course(estate.scenario.timing.cloud_vm_start_up_s * slowness)


def finish_create(estate: Estate, _under: Underway, action: CreateCloudVM) -> None:
    estate.set_state(estate.cloud(action.cloud_vm), CloudVMState.ACTIVE)
    estate.tally.cloud_vm_starts += 1


def abandon_create(estate: Estate, under: Underway) -> None:
    """A cloud VM that did not start is given back; the time it took is paid for."""
    row = estate.clouds.row(under.action.subjects[0])
    if row is not None:
        estate.remove_cloud(row)


def begin_release(estate: Estate, action: ReleaseCloudVM, slowness: float) -> Course:
    row = estate.cloud(action.cloud_vm)
    if estate.busy(action.cloud_vm):
        raise RefusedError(f"another step is about cloud VM {action.cloud_vm!r}")
    here = int((estate.apps["place"] == row).sum())
    if here:
        raise RefusedError(f"cloud VM {action.cloud_vm!r} is not empty: it hosts {here} app VMs")
    if estate.holds_on(action.cloud_vm):
        raise RefusedError(f"an app VM is arriving on cloud VM {action.cloud_vm!r}")
    return Course(estate.scenario.timing.cloud_vm_release_s * slowness)


def finish_release(estate: Estate, _under: Underway, action: ReleaseCloudVM) -> None:
    estate.remove_cloud(estate.cloud(action.cloud_vm))
    estate.tally.cloud_vm_releases += 1


def begin_cordon(estate: Estate, action: Cordon, slowness: float) -> Course:
    state = estate.clouds.identities[estate.cloud(action.cloud_vm)].state
    if state is CloudVMState.STARTING:
        raise RefusedError(f"cloud VM {action.cloud_vm!r} is still starting")
    if estate.busy(action.cloud_vm):
        raise RefusedError(f"another step is about cloud VM {action.cloud_vm!r}")
    return Course(estate.scenario.timing.cordon_s * slowness)


def finish_cordon(estate: Estate, _under: Underway, action: Cordon) -> None:
    state = CloudVMState.CORDONED if action.on else CloudVMState.ACTIVE
    estate.set_state(estate.cloud(action.cloud_vm), state)


def begin_migrate(estate: Estate, action: Migrate, slowness: float) -> Course:
    row = estate.app(action.app_vm)
    actual = estate.place_of(row).id
    if actual != action.source:
        raise RefusedError(f"app VM {action.app_vm!r} is on cloud VM {actual!r}, not on {action.source!r}")
    if action.target == action.source:
        raise RefusedError(f"app VM {action.app_vm!r} is on cloud VM {action.target!r} already")
    if estate.busy(action.app_vm):
        raise RefusedError(f"another step is about app VM {action.app_vm!r}")
    identity = estate.apps.identities[row]
    estate.check_arrival(action.target, identity.memory_bytes)
    mine = estate.apps.columns[row]
    in_use_bytes = mine["idle_memory_bytes"] + mine["busy_memory_bytes"] * mine["served_cores"] / mine["cores"]
    dirty_bytes_per_s = mine["dirty_bytes_per_core_s"] * mine["served_cores"]
    speed = bandwidth(estate, action.source, action.target) / slowness
    course = predict(float(in_use_bytes), float(dirty_bytes_per_s), speed)
    return Course(course.total_s, course.downtime_s, course.sent_bytes, (action.target, identity.memory_bytes))


def finish_migrate(estate: Estate, under: Underway, action: Migrate) -> None:
    row = estate.app(action.app_vm)
    estate.apps["place"][row] = estate.cloud(action.target)
    estate.apps["paused"][row] = False
    estate.tally.migrated(action.app_vm, under.downtime_s, under.sent_bytes)


def abandon_migrate(estate: Estate, under: Underway) -> None:
    """The app VM goes on where it was, if that is still there."""
    row = estate.apps.row(under.action.subjects[0])
    if row is not None:
        estate.apps["paused"][row] = False


def _its_cloud_vm(action: StartAppVM | CreateCloudVM | ReleaseCloudVM | Cordon) -> tuple[str, ...]:
    return (action.cloud_vm,)


DEEDS: Mapping[type[StepAction], Deed] = {
    StartAppVM: Deed(begin_start, finish_start, _its_cloud_vm),
    StopAppVM: Deed(begin_stop, finish_stop, lambda _action: ()),
    CreateCloudVM: Deed(begin_create, finish_create, _its_cloud_vm, abandon_create),
    ReleaseCloudVM: Deed(begin_release, finish_release, _its_cloud_vm),
    Cordon: Deed(begin_cordon, finish_cordon, _its_cloud_vm),
    Migrate: Deed(begin_migrate, finish_migrate, lambda action: (action.source, action.target), abandon_migrate),
}
