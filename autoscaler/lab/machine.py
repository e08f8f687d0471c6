"""One cloud VM as a QEMU machine: its command line, its start, and what its serial console says about how far it is.

Separate because this is the one place that knows QEMU. Processes are ended in leftovers.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import ActuationError
from autoscaler.lab.command import run
from autoscaler.lab.layout import Layout, ordinal
from autoscaler.lab.network import BRIDGES, tap
from autoscaler.lab.record import CloudVMShape, Record

# Of the models tried under emulation, Westmere and Penryn boot Xen and are understood by libvirt's Xen driver; qemu64 and
# Opteron_G3 fail libvirt's capabilities, and with EPYC the management VM crashes (observed, QEMU 7.2 and Xen 4.17).
CPU = "Westmere"
TRANSLATION_MIB = 256  # emulation's code cache; QEMU's default lets every machine grow by a gigabyte
# Of a machine's memory, what Xen and its management VM keep: 5 % and 267 MiB (`xl info` at 640 and 768 MiB), and the page
# tables of some app VMs.
KEPT_FRACTION, KEPT_MIB = 0.05, 280
XEN_OPTIONS = "console=com1 com1=115200,8n1 dom0_mem=256M+5% dom0_max_vcpus=1-2 noreboot"
LINUX_OPTIONS = "console=hvc0 net.ifnames=0 quiet"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a cloud VM is: `ready`, or a stage, or `trouble` with what to do about it."""

    stage: str
    ready: bool = False
    trouble: str = ""


# What a serial console shows, the farthest last.
STAGES = (
    ("(XEN) Xen version", "hypervisor"),
    ("about to get started", "kernel"),
    ("flexcapsule: initramfs", "initramfs"),
    ("flexcapsule: stage xen", "Xen's tools"),
    ("flexcapsule: stage network", "network"),
    ("flexcapsule: stage keys", "keys"),
)
TROUBLE = (
    (r"flexcapsule: failed: (.*)", "the management VM's start says: {0}"),
    (r"Panic on CPU \d+:\s*\n(?:\(XEN\) )?(.*)", "Xen stopped: {0}"),
    (r"Kernel panic - not syncing: (.*)", "the management VM's kernel stopped: {0}"),
    (r"(Could not (?:set up|construct) dom(?:ain )?0.*)", "Xen: {0}; give the cloud VM more memory"),
    (r"(Not enough RAM for.*)", "Xen: {0}; give the cloud VM more memory"),
)


def offered_mib(memory_mib: int) -> int:
    """What a machine of so much memory leaves for app VMs."""
    return int(memory_mib * (1 - KEPT_FRACTION)) - KEPT_MIB


def memory_mib_for(offered: float) -> int:
    """The memory of a machine that leaves `offered` MiB for app VMs."""
    return math.ceil((offered + KEPT_MIB + 1) / (1 - KEPT_FRACTION))


def progress(console: str) -> Progress:
    """Read a serial console's text."""
    for pattern, meaning in TROUBLE:
        if found := re.search(pattern, console):
            return Progress("failed", trouble=meaning.format(found[1].strip()))
    if re.search(r"flexcapsule: ready ", console):
        return Progress("ready", ready=True)
    reached = [stage for mark, stage in STAGES if mark in console]
    return Progress(reached[-1] if reached else "firmware")


def console_text(layout: Layout, cloud_vm: str) -> str:
    path = layout.file(f"{cloud_vm}.console.log")
    return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""


def accelerator_options(accelerator: str) -> list[str]:
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", f"tcg,tb-size={TRANSLATION_MIB}", "-cpu", CPU]


def boot_options(image: Path) -> list[str]:
    """Start the disk's own hypervisor, kernel and initramfs directly: the boot loader takes a minute's third under emulation."""
    modules = f"{image / 'vmlinuz'} {LINUX_OPTIONS},{image / 'initrd.img'}"
    return ["-kernel", str(image / "xen"), "-append", XEN_OPTIONS, "-initrd", modules]


def arguments(record: Record, shape: CloudVMShape, *, boot_loader: bool = False) -> list[str]:
    """QEMU's whole command line. Paths in the lab's directory are relative: unix sockets allow 107 characters only."""
    image, name, number = Path(record.image), shape.name, ordinal(shape.name)
    argv = [
        "qemu-system-x86_64",
        "-name",
        f"guest={record.layout.process_name(name)}",
        *accelerator_options(record.accelerator),
    ]
    argv += [
        "-smp",
        str(shape.cores),
        "-m",
        str(shape.memory_mib),
        "-no-reboot",
        "-nodefaults",
        "-display",
        "none",
        "-daemonize",
    ]
    argv += ["-pidfile", f"{name}.pid", "-qmp", f"unix:{name}.qmp,server=on,wait=off"]
    argv += ["-chardev", f"socket,id=serial,path={name}.console,server=on,wait=off,logfile={name}.console.log"]
    argv += ["-serial", "chardev:serial", *([] if boot_loader else boot_options(image))]
    argv += _disk("root", f"file={name}.qcow2,format=qcow2,cache=unsafe,discard=unmap", "flexcapsule-root")
    argv += _disk("seed", f"file={name}.seed,format=raw,readonly=on", "flexcapsule-seed")
    argv += _disk("guests", f"file={image / 'guests.img'},format=raw,readonly=on", "flexcapsule-guests")
    for index, bridge in enumerate(BRIDGES):
        mac = f"52:54:{record.number:02x}:00:{number:02x}:{index:02x}"
        argv += ["-netdev", f"tap,id={bridge},ifname={tap(name, bridge)},script=no,downscript=no"]
        argv += ["-device", f"virtio-net-pci,netdev={bridge},mac={mac},romfile="]
    return argv


def _disk(name: str, drive: str, serial: str) -> list[str]:
    return ["-drive", f"{drive},if=none,id={name}", "-device", f"virtio-blk-pci,drive={name},serial={serial}"]


def make_disk(record: Record, cloud_vm: str) -> None:
    """A copy-on-write disk: what a cloud VM writes, beside the one image all share."""
    image = Path(record.image) / "disk.img"
    run(
        [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            str(image),
            "-F",
            "raw",
            str(record.layout.file(f"{cloud_vm}.qcow2")),
        ]
    )


def start(record: Record, shape: CloudVMShape, *, boot_loader: bool = False) -> None:
    """Start the machine in the lab's namespace and leave it running. Raises ActuationError with QEMU's own words."""
    argv = arguments(record, shape, boot_loader=boot_loader)
    try:
        run(["ip", "netns", "exec", record.layout.namespace, *argv], cwd=record.layout.directory)
    except ActuationError as error:
        raise ActuationError(
            f"{shape.name} did not start: {str(error).rsplit('): ', 1)[-1]}", temporary=False
        ) from None


def running(layout: Layout, cloud_vm: str) -> bool:
    """Whether the machine's own process lives: the pid file's process must bear the machine's name."""
    try:
        pid = int(layout.file(f"{cloud_vm}.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return f"guest={layout.process_name(cloud_vm)}".encode() in words
