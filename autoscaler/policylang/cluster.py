"""The cluster document: a cluster at one instant, written down, as the observation a source would make of it.

For `flexcapsule plan --cluster FILE`. The only place where its keys are named. No decision is made here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autoscaler.core.events import Observed
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, NOWHERE
from autoscaler.policylang.calendar import Instant
from autoscaler.policylang.forms import Form, Name, Text
from autoscaler.policylang.references import Misfit, Steps, cluster_misfits, unknown
from autoscaler.policylang.tree import MIB
from autoscaler.policylang.units import DURATION, RATE, REAL, WHOLE, Quantity
from autoscaler.policylang.units import MEMORY as AMOUNT

CLUSTER_BYTES, CLUSTER_NODES = 8 * MIB, 500_000  # 10,000 app VMs written out: about 2 MiB, 250,000 nodes
MONDAY_NOON = (
    1767614400.0  # 2026-01-05T12:00:00Z: some instant, always the same, so that the same file gives the same answer
)
CARRIED = (CloudVMState.ACTIVE, CloudVMState.CORDONED, CloudVMState.DRAINING)  # states in which app VMs may be there

Cores = Annotated[float, Quantity(REAL, gt=0, le=1e6)]
Memory = Annotated[int, Quantity(AMOUNT, gt=0, le=2.0**50)]
Replicas = Annotated[int, Quantity(WHOLE, ge=0, le=1e6)]
Downtime = Annotated[float | None, Quantity(DURATION, ge=0, optional=True)]


class SizeForm(Form):
    """A kind of cloud VM that can be rented."""

    name: Name = Field(description="what cloud VMs and plans call it")
    cores: Cores = Field(description="cores it offers")
    memory: Memory = Field(description="memory it offers to app VMs, like 8GiB")
    price_per_hour: Annotated[float, Quantity(REAL, ge=0, le=1e9)] = Field(
        description="in any currency, the same for all"
    )

    def size(self) -> CloudVMSize:
        return CloudVMSize(self.name, self.cores, self.memory, self.price_per_hour)


class CloudVMForm(Form):
    """A rented cloud VM."""

    id: Name = Field(description="its name")
    size: Name = Field(description="a name in the catalogue")
    state: CloudVMState = Field(default=CloudVMState.ACTIVE, description="only an `active` one may receive app VMs")


class ReplicaForm(Form):
    """What an app VM is allocated and allowed."""

    cores: Cores | None = Field(default=None, description="cores allocated", json_schema_extra={"default": 1})
    memory: Memory | None = Field(default=None, description="memory allocated", json_schema_extra={"default": "64MiB"})
    apart_from: tuple[Name, ...] | None = Field(
        default=None, description="app VMs and services it never shares a cloud VM with (its own: replicas apart)"
    )
    downtime_budget: Downtime = Field(
        default=None, description="most pause by migrations in 24 h; `none`: the policy's"
    )
    labels: dict[str, Text] | None = Field(default=None, description="yours; nothing is decided by them")

    def app_vm(self, id_: str, service: str, pinned_to: str, like: AppVM | None) -> AppVM:
        """Complete: what is left out is as in `like`, else the default."""
        like = like or AppVM(id="")
        return AppVM(
            id=id_,
            service=service,
            cores=like.cores if self.cores is None else self.cores,
            memory_bytes=like.memory_bytes if self.memory is None else self.memory,
            pinned_to=pinned_to,
            apart_from=like.apart_from if self.apart_from is None else self.apart_from,
            downtime_budget_s=like.downtime_budget_s
            if "downtime_budget" not in self.model_fields_set
            else self.downtime_budget,
            labels=like.labels if self.labels is None else tuple(self.labels.items()),
        )


class ServiceForm(Form):
    """Interchangeable app VMs behind one name."""

    id: Name = Field(description="its name")
    min_replicas: Replicas = Field(default=1, description="fewest replicas")
    max_replicas: Replicas = Field(description="most replicas")
    replica: ReplicaForm | None = Field(
        default=None, description="what a new replica looks like; left out: like its first app VM"
    )


class UsageForm(Form):
    """What an app VM was measured to use; what is left out was not measured, and counts as all that is allocated."""

    cores: Annotated[float | None, Quantity(REAL, ge=0, le=1e6, optional=True)] = Field(
        default=None, description="cores in use"
    )
    memory: Annotated[float | None, Quantity(AMOUNT, ge=0, optional=True)] = Field(
        default=None, description="memory in use"
    )
    dirty: Annotated[float | None, Quantity(RATE, ge=0, optional=True)] = Field(
        default=None, description="memory written to, per second"
    )
    age: Annotated[float, Quantity(DURATION, ge=0)] = Field(
        default=0.0, description="how old the sample is", json_schema_extra={"default": "0s"}
    )


class AppVMForm(ReplicaForm):
    """An app VM; what is left out is as in its service's replica."""

    id: Name = Field(description="its name")
    service: Name | None = Field(default=None, description="the service it belongs to, if any")
    on: Name | None = Field(default=None, description="the cloud VM it runs on; left out: it runs nowhere")
    pinned_to: Name | None = Field(default=None, description="the only cloud VM it may run on")
    usage: UsageForm = Field(default_factory=UsageForm, description="what it was measured to use")


class ClusterForm(Form):
    """A cluster at one instant: what can be rented, what is, who runs where and uses how much."""

    at: Instant = Field(
        default=MONDAY_NOON, description="the instant", json_schema_extra={"default": "2026-01-05T12:00:00Z"}
    )
    catalogue: tuple[SizeForm, ...] = Field(description="sizes of cloud VM that can be rented")
    cloud_vms: tuple[CloudVMForm, ...] = Field(description="cloud VMs that are rented")
    services: tuple[ServiceForm, ...] = Field(default=(), description="services")
    app_vms: tuple[AppVMForm, ...] = Field(default=(), description="app VMs")


def observation(form: ClusterForm) -> Observed:
    """The complete observation. What `misfits` finds must have been refused before."""
    sizes = {size.name: size.size() for size in form.catalogue}
    rows = {cloud_vm.id: row for row, cloud_vm in enumerate(form.cloud_vms)}
    templates = {s.id: None if s.replica is None else s.replica.app_vm("", s.id, "", None) for s in form.services}
    app_vms = tuple(
        a.app_vm(a.id, a.service or "", a.pinned_to or "", templates.get(a.service or "")) for a in form.app_vms
    )
    first = {app_vm.service: app_vm for app_vm in reversed(app_vms)}
    return Observed(
        at=form.at,
        placement=np.array([rows.get(a.on or "", NOWHERE) for a in form.app_vms], dtype=np.int64),
        sampled_at=np.array([form.at - a.usage.age for a in form.app_vms], dtype=np.float64),
        samples={
            CPU: _samples(a.usage.cores for a in form.app_vms),
            MEMORY: _samples(a.usage.memory for a in form.app_vms),
            DIRTY: _samples(a.usage.dirty for a in form.app_vms),
        },
        catalogue=tuple(sizes.values()),
        cloud_vms=tuple(CloudVM(c.id, sizes[c.size], c.state) for c in form.cloud_vms),
        app_vms=app_vms,
        services=tuple(_service(s, templates[s.id] or first.get(s.id)) for s in form.services),
    )


def misfits(form: ClusterForm) -> Iterator[Misfit]:
    """What does not fit together, in the order of the document's groups."""
    clouds = dict.fromkeys(cloud_vm.id for cloud_vm in form.cloud_vms)
    services = dict.fromkeys(service.id for service in form.services)
    partners = {**services, **dict.fromkeys(app_vm.id for app_vm in form.app_vms)}
    yield from cluster_misfits(form)
    for row, service in enumerate(form.services):
        if service.replica is not None:
            yield from _strangers(("services", row, "replica"), service.replica, partners)
    for row, app_vm in enumerate(form.app_vms):
        yield from unknown(("app_vms", row, "service"), "service", services, app_vm.service)
        yield from unknown(("app_vms", row, "on"), "cloud VM", clouds, app_vm.on)
        yield from unknown(("app_vms", row, "pinned_to"), "cloud VM", clouds, app_vm.pinned_to)
        yield from _strangers(("app_vms", row), app_vm, partners)


def _strangers(steps: Steps, form: ReplicaForm, partners: Collection[str]) -> Iterator[Misfit]:
    for number, partner in enumerate(form.apart_from or ()):
        yield from unknown((*steps, "apart_from", number), "app VM or service", partners, partner)


def overfull(observed: Observed) -> Iterator[Misfit]:
    """What no cluster can look like: app VMs where none can be, and more memory given away than there is."""
    cloud_vms, app_vms = observed.cloud_vms or (), observed.app_vms or ()
    taken = [0] * len(cloud_vms)
    for row, (app_vm, place) in enumerate(zip(app_vms, observed.placement.tolist(), strict=True)):
        if place == NOWHERE:
            continue
        cloud_vm = cloud_vms[place]
        taken[place] += app_vm.memory_bytes
        if cloud_vm.state not in CARRIED:
            yield (
                ("app_vms", row, "on"),
                f"{cloud_vm.id} is {cloud_vm.state} and carries nobody; expected another cloud VM",
            )
        if taken[place] > cloud_vm.size.memory_bytes:
            given, there = AMOUNT.show(taken[place]), AMOUNT.show(cloud_vm.size.memory_bytes)
            yield (
                ("app_vms", row, "on"),
                f"{cloud_vm.id} would have given away {given} of {there} of memory; expected no more than it has",
            )


def _samples(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _service(form: ServiceForm, like: AppVM | None) -> Service:
    template = replace(like, id="", service=form.id, pinned_to="") if like else AppVM(id="", service=form.id)
    return Service(form.id, form.min_replicas, form.max_replicas, template)
