"""The domain's XML, and the notes that come back from it as they were put in."""

from __future__ import annotations

import uuid
from xml.etree import ElementTree as ET

import pytest

from autoscaler.adapters.libvirt_domains.description import (
    SPEC_NOTE,
    STEPS_NOTE,
    Making,
    Note,
    command_line,
    guest_xml,
    mac,
    note_content,
    note_element,
    notes_text,
    read_notes,
    read_spec,
    spec_text,
)
from autoscaler.agent.descriptions import AppVMSpec
from autoscaler.errors import UsageError

ID = str(uuid.UUID("0f0e0d0c-0b0a-4908-8706-050403020100"))
SPEC = AppVMSpec(
    ID, "web-1", "a" * 64, 96 << 20, cores=1.5, service="web", files="b" * 64, address="10.0.0.7/24", gateway="10.0.0.1",
    environment={"GREETING": "<hello & goodbye>"}, arguments=("--port", "80"),
)  # fmt: skip
NOTES = (Note("e0:p1.s1", "start"), Note("e0:p2.s1", "migrate", "b"))


def written(making: Making) -> ET.Element:
    return ET.fromstring(guest_xml(SPEC, making, NOTES))


def test_a_qemu_guest_is_described():
    made = written(Making("qemu", bridge="br0", consoles="/log", emulated=True))
    assert made.get("type") == "qemu"
    assert [made.findtext(name) for name in ("name", "uuid", "memory", "vcpu", "on_crash")] == [
        "web-1", ID, str(96 << 20), "2", "destroy",
    ]  # fmt: skip
    assert made.findtext("os/kernel") == f"/var/lib/flexcapsule/images/{'a' * 64}"
    assert made.findtext("os/initrd") == f"/var/lib/flexcapsule/images/{'b' * 64}"
    assert made.find("devices/interface/model").get("type") == "virtio"
    assert made.find("devices/serial/log").get("file") == "/log/web-1.console.log"
    assert written(Making("qemu")).get("type") == "kvm"


def test_a_xen_guest_is_described():
    made = written(Making("xen", bridge="xenbr0", script="/etc/xen/scripts/vif-fast"))
    assert (made.get("type"), made.find("os/type").get("machine")) == ("xen", "xenpv")
    assert made.find("devices/interface/script").get("path") == "/etc/xen/scripts/vif-fast"
    assert made.find("devices/interface/mac").get("address") == mac(ID, "xen") == "00:16:3e:02:01:00"
    assert made.find("cpu") is made.find("features") is None


def test_without_a_bridge_there_is_no_network():
    assert written(Making("qemu")).find("devices/interface") is None


def test_the_notes_stand_in_the_domain_and_come_back():
    metadata = written(Making("qemu")).find("metadata")
    assert read_spec(metadata.findtext(f"{{{SPEC_NOTE}}}note")) == SPEC
    assert read_notes(metadata.findtext(f"{{{STEPS_NOTE}}}note")) == NOTES
    assert read_notes(note_content(note_element(notes_text(NOTES)))) == NOTES


def test_the_oldest_notes_are_let_go():
    many = [Note(f"e0:p{number}.s1", "pause") for number in range(20)]
    assert read_notes(notes_text(many)) == tuple(many[-8:])


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON", '{"uuid": 1}', spec_text(SPEC).replace("web-1", "a b")])
def test_what_is_not_ours_is_left_alone(text):
    assert read_spec(text) is None


@pytest.mark.parametrize("text", ["", "{", "7", '[["a"]]', "[7]"])
def test_notes_that_cannot_be_read_are_none(text):
    assert read_notes(text) == ()


def test_the_command_line_is_the_hosts_words_and_the_app_vms():
    assert command_line(SPEC, Making("xen")) == (
        'ip=10.0.0.7/24 gateway=10.0.0.1 "GREETING=<hello & goodbye>" -- --port 80'
    )
    bare = AppVMSpec(ID, "x", "a" * 64, 64 << 20)
    assert command_line(bare, Making("xen")) == "ip=dhcp"
    assert command_line(bare, Making("qemu", command_line="console=ttyS0")) == "console=ttyS0"


def test_a_disk_is_refused():
    with pytest.raises(UsageError, match="disks are not shared"):
        guest_xml(AppVMSpec(ID, "x", "a" * 64, 64 << 20, disk="c" * 64), Making("qemu"), ())
