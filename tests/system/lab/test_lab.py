"""Real Xen on this machine: what a cloud VM is, who reaches it, and a Linux app VM that moves without noticing much."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from autoscaler.lab import condition, reach, seed, trip
from autoscaler.lab.command import output
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system

# Run inside the lab's namespace: may something that arrives on `front` reach what listens on the back address?
KNOCK = """
import socket, sys
knock = socket.socket()
knock.settimeout(4)
knock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
try:
    knock.connect((sys.argv[2], 16509))
    print("open")
except OSError:
    print("closed")
"""


def test_cloud_vms_run_the_hypervisor_the_image_names(lab: Record) -> None:
    manifest = json.loads(Path(lab.image, "manifest.json").read_text())
    said = reach.said(lab, "cv1", "xl info")
    facts = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    assert f"{facts['xen_major']}.{facts['xen_minor']}{facts['xen_extra']}".startswith("4.17")
    assert manifest["hypervisor"].startswith(f"4.17{facts['xen_extra'].split('-')[0].removesuffix('+')}"[:6])
    assert "pv" in facts["virt_caps"]
    assert manifest["shadow_paging"]


def test_the_host_reaches_libvirt_through_ssh_with_the_labs_keys(lab: Record) -> None:
    for shape in lab.cloud_vms:
        assert "Domain-0" in output(["virsh", "-c", seed.libvirt_uri(lab.layout, shape.name), "list"])


def test_xenstore_is_readable_with_pyxs(lab: Record) -> None:
    question = "import pyxs\nwith pyxs.Client() as client: print(client.read(b'/local/domain/0/name').decode())"
    assert reach.said(lab, "cv1", f'python3 -c "{question}"').strip() == "Domain-0"


def test_secrets_are_the_owners_alone(lab: Record) -> None:
    directory = lab.layout.directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for secret in ("host", "peer", "cv1.hostkey", "cv1.seed", "ssh_config"):
        assert stat.S_IMODE((directory / secret).stat().st_mode) == 0o600, secret
    assert "PasswordAuthentication no" in reach.said(lab, "cv1", "cat /etc/ssh/sshd_config.d/*")


def test_nothing_leads_out(lab: Record) -> None:
    assert "default" not in output(["ip", "-n", lab.layout.namespace, "route"])
    assert "default" not in reach.said(lab, "cv1", "ip route")


@pytest.mark.parametrize(("interface", "answer"), [("back", "open"), ("front", "closed")])
def test_the_toolstack_is_open_to_cloud_vms_and_closed_to_app_vms(lab: Record, interface: str, answer: str) -> None:
    inside = ["ip", "netns", "exec", lab.layout.namespace, sys.executable, "-c", KNOCK]
    assert output([*inside, interface, lab.layout.back(1)]).strip() == answer


def test_the_back_network_is_not_the_hosts(lab: Record) -> None:
    assert lab.layout.front(0) in output(["ip", "route", "show", "table", "all"])
    assert lab.layout.back(0) not in output(["ip", "route", "show", "table", "all"])


def test_a_linux_app_vm_goes_there_and_back_with_its_address_and_connections(lab: Record) -> None:
    with trip.linux(lab, memory_mib=128):
        moves = []
        for source, target in (("cv1", "cv2"), ("cv2", "cv1")):
            moves.append(trip.move(lab, source, target))
            found = {c.name: c.app_vms for c in condition.of(lab).cloud_vms}
            assert found == {source: (), target: ("linux",)}
    for moved in moves:
        assert moved.connection == "intact", moved
        assert moved.gap_s < moved.total_s, "the app VM paused for as long as the transfer took: that was not live"
        assert moved.sent > 100
        assert moved.lost < moved.sent * 0.2
        # All of its memory must have crossed, and not more than a few times over.
        assert 0.5 * 128 * 2**20 < moved.wire_bytes < 4 * 128 * 2**20
        assert list(moved.marks) == sorted(moved.marks, key=moved.marks.__getitem__)
