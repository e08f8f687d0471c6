"""What libvirt is told of an app VM, and what it tells back: the domain's XML, and two notes that it carries wherever it goes.

Pure. The notes are libvirt's own record of ours: `app-vm` is the description that was asked for, `steps` which steps have changed
it. They come and go with the guest, by migration too: a controller that starts anew needs no other memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from xml.etree import ElementTree as ET

from autoscaler.agent.descriptions import AppVMSpec, read_app_vm_spec
from autoscaler.agent.wire import plain
from autoscaler.errors import UsageError

SPEC_NOTE, STEPS_NOTE = "urn:flexcapsule:app-vm", "urn:flexcapsule:steps"
STEPS_KEPT = 8  # an app VM has one step at a time; a controller asks again about the last one
MAC_PREFIX = {"xen": "00:16:3e", "qemu": "52:54:00"}  # the vendors' own prefixes for guests


@dataclass(frozen=True, slots=True)
class Making:
    """How guests are made on all hosts. `driver`: libvirt's, `xen` or `qemu`; `images`: where the hosts have files, by digest; `bridge` "":
    no network; `script`: the hotplug script (xen); `command_line`: words before an app VM's own, {address} and {gateway} stand for its;
    `cpu`: the model that guests see (qemu), the same everywhere, or they cannot move; `emulated`: without KVM."""

    driver: str
    images: str = "/var/lib/flexcapsule/images"
    bridge: str = ""
    script: str = ""
    command_line: str = "ip={address} gateway={gateway}"
    consoles: str = ""
    cpu: str = "qemu64"
    emulated: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """One step that changed an app VM: its id, its kind, and where to it moved it ("" where it did not)."""

    step: str
    kind: str
    target: str = ""


def guest_xml(spec: AppVMSpec, making: Making, notes: Sequence[Note]) -> str:
    """The whole guest. Raises UsageError where the description asks for what libvirt is not told here."""
    xen = making.driver == "xen"
    root = ET.Element("domain", type="xen" if xen else "qemu" if making.emulated else "kvm")
    _put(root, "name", spec.name)
    _put(root, "uuid", spec.uuid)
    metadata = ET.SubElement(root, "metadata")
    for uri, text in ((SPEC_NOTE, spec_text(spec)), (STEPS_NOTE, notes_text(notes))):
        ET.SubElement(metadata, f"{{{uri}}}note").text = text
    ET.SubElement(root, "memory", unit="b").text = str(spec.memory_bytes)
    _put(root, "vcpu", str(math.ceil(spec.cores)))
    _boot(ET.SubElement(root, "os"), spec, making)
    if not xen:
        ET.SubElement(ET.SubElement(root, "features"), "acpi")
        ET.SubElement(ET.SubElement(root, "cpu", mode="custom"), "model").text = making.cpu
    for event in ("poweroff", "reboot", "crash"):
        _put(root, f"on_{event}", "destroy")
    _devices(ET.SubElement(root, "devices"), spec, making)
    return ET.tostring(root, encoding="unicode")


def spec_text(spec: AppVMSpec) -> str:
    return json.dumps(plain(spec), sort_keys=True)


def read_spec(text: str) -> AppVMSpec | None:
    """None where it is not ours, or was written by another version: then it is a guest that we leave alone."""
    try:
        return read_app_vm_spec(json.loads(text))
    except (ValueError, UsageError):
        return None


def notes_text(notes: Sequence[Note]) -> str:
    return json.dumps([[note.step, note.kind, note.target] for note in notes[-STEPS_KEPT:]])


def read_notes(text: str) -> tuple[Note, ...]:
    try:
        return tuple(Note(*map(str, entry)) for entry in json.loads(text))
    except (ValueError, TypeError):
        return ()


def note_element(text: str) -> str:
    """As libvirt takes a note to be replaced: it adds the name space itself."""
    element = ET.Element("note")
    element.text = text
    return ET.tostring(element, encoding="unicode")


def note_content(element: str) -> str:
    try:
        return ET.fromstring(element).text or ""  # noqa: S314  libvirt wrote it
    except ET.ParseError:
        return ""


def _boot(boot: ET.Element, spec: AppVMSpec, making: Making) -> None:
    if making.driver == "xen":
        ET.SubElement(boot, "type", arch="x86_64", machine="xenpv").text = "linux"
    else:
        ET.SubElement(boot, "type", arch="x86_64", machine="pc").text = "hvm"
    _put(boot, "kernel", f"{making.images}/{spec.image}")
    if spec.files:
        _put(boot, "initrd", f"{making.images}/{spec.files}")
    _put(boot, "cmdline", command_line(spec, making))


def command_line(spec: AppVMSpec, making: Making) -> str:
    """The hosts' own words, environment, `--` and arguments: as libos/lib/cmdline.c reads them, and Linux too."""
    words = making.command_line.format(address=spec.address or "dhcp", gateway=spec.gateway).split()
    words = [word for word in words if not word.endswith("=")]
    words += [_word(f"{name}={value}") for name, value in sorted(spec.environment.items())]
    words += ["--", *map(_word, spec.arguments)] if spec.arguments else []
    return " ".join(words)


def _devices(devices: ET.Element, spec: AppVMSpec, making: Making) -> None:
    xen = making.driver == "xen"
    if making.bridge:
        interface = ET.SubElement(devices, "interface", type="bridge")
        ET.SubElement(interface, "source", bridge=making.bridge)
        ET.SubElement(interface, "mac", address=mac(spec.uuid, making.driver))
        if making.script:
            ET.SubElement(interface, "script", path=making.script)
        if not xen:
            ET.SubElement(interface, "model", type="virtio")
            ET.SubElement(interface, "rom", enabled="no")
    if spec.disk:
        raise UsageError(f"{spec.name} has a disk; disks are not shared between hosts here: give it files instead")
    if xen:
        ET.SubElement(devices, "console", type="pty")
        return
    serial = ET.SubElement(devices, "serial", type="pty")
    if making.consoles:
        ET.SubElement(serial, "log", file=f"{making.consoles}/{spec.name}.console.log", append="on")
    ET.SubElement(devices, "memballoon", model="none")


def mac(uuid: str, driver: str) -> str:
    """The same wherever it runs, so that a move is not a new station to those it talks to."""
    return ":".join([MAC_PREFIX[driver], *(f"{byte:02x}" for byte in UUID(uuid).bytes[-3:])])


def _word(text: str) -> str:
    return f'"{text}"' if not text or " " in text else text


def _put(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text
