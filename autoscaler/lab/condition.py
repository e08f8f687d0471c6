"""What state a lab is in, asked of its processes and its cloud VMs. Separate from making it: this must work on a broken one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from autoscaler.errors import FlexCapsuleError
from autoscaler.lab import machine, reach, record, seed
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import CloudVMShape, Record

QUESTION = "xl list -l; echo; xl info | sed -n 's/^free_memory *: *//p'"


@dataclass(frozen=True, slots=True)
class CloudVMCondition:
    """`state`: up, booting, ended, or unreachable. `called`: a controller's name for it, if it has one."""

    name: str
    called: str
    state: str
    address: str
    libvirt_uri: str
    cores: int
    memory_mib: int
    free_mib: int | None
    app_vms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabCondition:
    """A lab and its cloud VMs as found."""

    record: Record
    cloud_vms: tuple[CloudVMCondition, ...]

    def document(self) -> dict[str, Any]:
        return {
            **asdict(self.record),
            "namespace": self.record.layout.namespace,
            "cloud_vms": [asdict(c) for c in self.cloud_vms],
        }


@dataclass(frozen=True, slots=True)
class LabSummary:
    """One line of the list of labs. `state`: running, partly running, ended, or half made."""

    name: str
    state: str
    cloud_vms: int
    memory_mib: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def every() -> tuple[LabSummary, ...]:
    """The labs of this cache directory, by name, without asking their cloud VMs."""
    return tuple(_summary(name) for name in record.names())


def _summary(name: str) -> LabSummary:
    lab = record.read(name)
    if lab is None:
        return LabSummary(name, "half made", 0, 0)
    alive = [machine.running(lab.layout, shape.name) for shape in lab.cloud_vms]
    state = "running" if all(alive) else "partly running" if any(alive) else "ended"
    return LabSummary(name, state, len(alive), sum(shape.memory_mib for shape in lab.cloud_vms))


def of(lab: Record) -> LabCondition:
    """Ask all cloud VMs at once."""
    with ThreadPoolExecutor(max(1, len(lab.cloud_vms))) as pool:
        return LabCondition(lab, tuple(pool.map(lambda shape: _cloud_vm(lab, shape), lab.cloud_vms)))


def standing(name: str, wanted: tuple[CloudVMShape, ...]) -> LabCondition | None:
    """The lab `name` if it is just as wanted and all of it is up: there is nothing to do then."""
    lab = record.read(name)
    if lab is None or lab.cloud_vms != wanted:
        return None
    found = of(lab)
    return found if all(cloud_vm.state == "up" for cloud_vm in found.cloud_vms) else None


def _cloud_vm(lab: Record, shape: CloudVMShape) -> CloudVMCondition:
    state, free_mib, app_vms = _asked(lab, shape.name)
    uri = seed.libvirt_uri(lab.layout, shape.name)
    address = lab.layout.front(ordinal(shape.name))
    return CloudVMCondition(
        shape.name, shape.called, state, address, uri, shape.cores, shape.memory_mib, free_mib, app_vms
    )


def _asked(lab: Record, name: str) -> tuple[str, int | None, tuple[str, ...]]:
    if not machine.running(lab.layout, name):
        return "ended", None, ()
    if not machine.progress(machine.console_text(lab.layout, name)).ready:
        return "booting", None, ()
    try:
        listed, free = reach.said(lab, name, QUESTION, patience_s=30).rstrip().rsplit("\n", 1)
        app_vms = (entry for entry in json.loads(listed) if entry["domid"] != 0)
        return "up", int(free), tuple(sorted(entry["config"]["c_info"]["name"] for entry in app_vms))
    except (FlexCapsuleError, ValueError, KeyError):
        return "unreachable", None, ()
