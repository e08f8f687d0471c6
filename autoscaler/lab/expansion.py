"""Add one cloud VM to a running lab, or remove one: what a cloud does when its customer rents and releases.

Separate from bring-up because the lab goes on meanwhile. The order is the crash safety: a cloud VM is on record, as not ready,
before anything of it is made, and leaves the record after everything of it is gone; both acts may be begun again by anybody.
"""

from __future__ import annotations

from dataclasses import replace

from autoscaler import keys
from autoscaler.errors import UsageError
from autoscaler.lab import bringup, leftovers, machine, network, reach, record, seed
from autoscaler.lab.layout import CLOUD_VMS_MOST, ordinal
from autoscaler.lab.record import CloudVMShape, Record


def add(
    name: str, cores: int, memory_mib: int, *, called: str = "", follow: bringup.Follow, patience_s: float
) -> CloudVMShape:
    """A new cloud VM in the lab `name`, up and answering. With `called` it is made once: whoever asks for it again takes up
    the making where it stopped, or waits with the first.

    Raises UsageError (no such lab, no room), ActuationError with a diagnosis where it does not come up; what was made of it
    then stays for a look, and for `remove`.
    """
    bringup.require_root()
    lab, shape = _begun(name, cores, memory_mib, called)
    if not shape.ready:
        bringup.wait_ready(replace(lab, cloud_vms=(shape,)), follow, patience_s=patience_s)
        shape = _now_ready(name, shape)
    return shape


def remove(name: str, cloud_vm: str) -> bool:
    """Remove one cloud VM whole, with whatever runs on it, in whatever state it is; False where there was none."""
    bringup.require_root()
    with record.locked(record.lock_path(name), patience_s=bringup.LOCK_PATIENCE_S):
        lab = record.existing(name)
        shape = next((shape for shape in lab.cloud_vms if shape.name == cloud_vm), None)
        if shape is None:
            return False
        _unmake(lab, shape)
        rest = replace(lab, cloud_vms=tuple(other for other in lab.cloud_vms if other != shape))
        seed.write_ssh_files(rest)
        record.write(rest)
    return True


def _begun(name: str, cores: int, memory_mib: int, called: str) -> tuple[Record, CloudVMShape]:
    """The lab with the cloud VM in it, and its machine started."""
    with record.locked(record.lock_path(name), patience_s=bringup.LOCK_PATIENCE_S):
        lab = record.existing(name)
        found = next((shape for shape in lab.cloud_vms if called and shape.called == called), None)
        shape = found or CloudVMShape(_free_name(lab), cores, memory_mib, called, ready=False)
        if found is None:
            bringup.check_size(cores, memory_mib)
            lab = replace(lab, cloud_vms=(*lab.cloud_vms, shape))
            record.write(lab)
        if not shape.ready and not machine.running(lab.layout, shape.name):
            _unmake(lab, shape)
            _make(lab, shape)
    return lab, shape


def _make(lab: Record, shape: CloudVMShape) -> None:
    seed.make_host_key(lab, shape.name)
    seed.write_ssh_files(lab)
    network.make_taps(lab.layout, shape.name)
    seed.make_seed(lab, shape.name)
    machine.make_disk(lab, shape.name)
    machine.start(lab, shape)


def _unmake(lab: Record, shape: CloudVMShape) -> None:
    leftovers.remove_cloud_vm(lab.layout, shape.name)
    network.remove_taps(lab.layout, shape.name)
    keys.forget(lab.layout.keys, shape.name)


def _now_ready(name: str, shape: CloudVMShape) -> CloudVMShape:
    """Written down as ready; whoever removed it meanwhile is right."""
    with record.locked(record.lock_path(name), patience_s=bringup.LOCK_PATIENCE_S):
        lab = record.existing(name)
        if shape not in lab.cloud_vms:
            raise UsageError(f"cloud VM {shape.name} of lab {name} was removed while it started")
        ready = replace(shape, ready=True)
        record.write(replace(lab, cloud_vms=tuple(ready if other == shape else other for other in lab.cloud_vms)))
    return ready


def _free_name(lab: Record) -> str:
    taken = {ordinal(shape.name) for shape in lab.cloud_vms}
    number = next((number for number in range(1, CLOUD_VMS_MOST + 1) if number not in taken), None)
    if number is None:
        raise UsageError(f"lab {lab.name} has {CLOUD_VMS_MOST} cloud VMs, the most there can be; remove one")
    return f"cv{number}"


def named(lab: Record, cloud_vm: str) -> str:
    """Its own name (cv3), given that or a controller's name for it. Raises UsageError naming those there are."""
    own = next((shape.name for shape in lab.cloud_vms if shape.called and shape.called == cloud_vm), cloud_vm)
    return reach.known(lab, own)
