"""The account of steps against libvirt's own driver for tests: a hypervisor inside this process that cannot migrate. What moves is
in tests/system/live/test_libvirt_qemu.py.
"""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from autoscaler.adapters.libvirt_domains import LibvirtHost, LibvirtHosts, Making
from autoscaler.adapters.libvirt_domains.connection import Connection
from autoscaler.agent.descriptions import AppVMSpec, StepRequest
from autoscaler.errors import ActuationError

pytest.importorskip("libvirt", reason="libvirt's Python library is not installed: the optional group `live`")

NODE = "<node><memory>4194304</memory><cpu><num>2</num><mhz>2000</mhz><model>x86_64</model><active>2</active><nodes>1</nodes><sockets>1</sockets><cores>2</cores><threads>1</threads></cpu></node>"


@pytest.fixture
def hosts(tmp_path):
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    two = [LibvirtHost("a", f"test://{node}", ""), LibvirtHost("b", "no://such", "")]
    made = LibvirtHosts(two, Making("qemu"), connect=InProcess)
    yield made
    made.close()


class InProcess(Connection):
    """The driver for tests takes its own kind of guest only."""

    def start(self, xml):
        super().start(
            xml.replace('type="kvm"', 'type="test"').replace('<cpu mode="custom"><model>qemu64</model></cpu>', "")
        )


class Hanging(Connection):
    """Does not answer before `over`."""

    over = threading.Event()

    def facts(self):
        self.over.wait()
        return super().facts()


def spec(name: str = "app") -> AppVMSpec:
    return AppVMSpec(str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), name, "a" * 64, 64 << 20)


def carried_out(hosts: LibvirtHosts, step: str, request: StepRequest):
    hosts.put_step("a", step, request)
    while hosts.busy():
        threading.Event().wait(0.005)
    return hosts._steps[("a", step)]


def test_an_app_vm_lives_and_is_seen(hosts):
    made = spec()
    assert carried_out(hosts, "e:1", StepRequest("start", spec=made)).outcome == "done"
    (seen,) = hosts.host("a").app_vms
    assert (seen.spec, seen.state, seen.moves) == (made, "running", 0)
    assert carried_out(hosts, "e:2", StepRequest("pause", uuid=made.uuid)).outcome == "done"
    assert [each.state for each in hosts.host("a").app_vms] == ["paused"]
    assert carried_out(hosts, "e:3", StepRequest("resume", uuid=made.uuid)).outcome == "done"
    assert carried_out(hosts, "e:4", StepRequest("stop", uuid=made.uuid, patience_s=0.0)).outcome == "done"
    assert [(each.state, each.ended.how) for each in hosts.host("a").app_vms] == [("stopped", "stopped")]
    assert carried_out(hosts, "e:5", StepRequest("remove", uuid=made.uuid)).outcome == "done"
    assert hosts.host("a").app_vms == ()


def test_a_start_put_again_is_one_app_vm(hosts):
    made = spec()
    for _ in range(3):
        hosts.put_step("a", "e:1", StepRequest("start", spec=made))
    assert carried_out(hosts, "e:1", StepRequest("start", spec=made)).outcome == "done"
    assert carried_out(hosts, "e:2", StepRequest("start", spec=made)).outcome == "done"
    assert len(hosts.host("a").app_vms) == 1


def test_what_stands_with_the_guest_outlives_our_memory(hosts):
    made = spec()
    carried_out(hosts, "e:1", StepRequest("start", spec=made))
    carried_out(hosts, "e:2", StepRequest("pause", uuid=made.uuid))
    hosts._steps.clear()
    assert {step: report.outcome for step, report in hosts.steps("a").items()} == {"e:1": "done", "e:2": "done"}
    assert hosts.put_step("a", "e:2", StepRequest("pause", uuid=made.uuid)).outcome == "done"
    assert hosts.step("a", "e:3") is None


def test_what_was_forgotten_is_not_told_of_any_more(hosts):
    carried_out(hosts, "e:1", StepRequest("stop", uuid=spec().uuid))
    assert hosts.steps("a")["e:1"].outcome == "failed"
    hosts.forget("a", "e:1")
    assert hosts.steps("a") == {}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (StepRequest("stop", uuid=spec("ghost").uuid), "there is no app VM"),
        (StepRequest("migrate", uuid=spec("ghost").uuid, target="c", address="c"), "there is no host c"),
        (StepRequest("start", spec=AppVMSpec(spec().uuid, "big", "a" * 64, 1 << 38)), "MiB are free"),
        (StepRequest("start", spec=AppVMSpec(spec().uuid, "x", "a" * 64, 64 << 20, disk="b" * 64)), "has a disk"),
    ],
)
def test_what_cannot_be_fails_with_its_reason(hosts, request_, said):
    report = carried_out(hosts, "e:1", request_)
    assert (report.outcome, said in report.reason) == ("failed", True), report


def test_what_is_not_offered_says_so(hosts):
    made = spec()
    carried_out(hosts, "e:1", StepRequest("start", spec=made))
    assert "save is not offered" in carried_out(hosts, "e:2", StepRequest("save", uuid=made.uuid)).reason


def test_a_host_that_cannot_be_reached_is_a_temporary_trouble(hosts):
    with pytest.raises(ActuationError, match="libvirt at no://such") as raised:
        hosts.host("b")
    assert raised.value.temporary


def test_a_host_that_hangs_holds_up_one_look_only():
    hosts = LibvirtHosts([LibvirtHost("a", "test:///default", "")], Making("qemu"), answer_s=0.02, connect=Hanging)
    for said in ("did not answer in", "still has not answered"):
        began = time.monotonic()
        with pytest.raises(ActuationError, match=said):
            hosts.host("a")
        assert time.monotonic() - began < 5.0
    Hanging.over.set()
    hosts.close()


def test_domains_of_others_are_not_ours(hosts):
    hosts._connections["a"].start(
        '<domain type="test"><name>theirs</name><memory>65536</memory><os><type>hvm</type></os></domain>'
    )
    before = hosts.host("a")
    assert before.app_vms == ()
    assert before.free_bytes == before.memory_bytes - (64 << 20)
