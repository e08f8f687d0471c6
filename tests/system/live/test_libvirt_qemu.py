"""A second hypervisor: the same controller on plain QEMU guests, through libvirt, on two hosts that are two daemons of this machine.

The contract of the ports, a guest that answers while it is moved, what is left when somebody is killed in the middle of a move, and
`flexcapsule run` from the first start to the last stop.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import patience
import pytest
from libvirt_stage import PREFIX, TwoHosts, digest, make_guest, missing, runtimes

from autoscaler.adapters.agents import AddressPool, Images, LiveCluster, Recipe, Wiring
from autoscaler.adapters.agents.errands import Kept
from autoscaler.adapters.agents.look import Look
from autoscaler.adapters.agents.sightings import Sightings
from autoscaler.adapters.libvirt_domains import LibvirtHosts
from autoscaler.adapters.providers.static import Host, StaticHosts
from autoscaler.agent.descriptions import AppVMSpec, StepRequest
from autoscaler.core.model import AppVM, CloudVMSize, Service
from autoscaler.core.steps import StartAppVM
from autoscaler.errors import ActuationError, FlexCapsuleError
from autoscaler.lab import image
from autoscaler.lab.heartbeat import Watch, heard

pytestmark = pytest.mark.system
pytest.importorskip("libvirt", reason="libvirt's Python library is not installed: the optional group `live`")

CONTRACT = Path(__file__).parents[2] / "contract" / "test_actuator_contract.py"
MIB = 1 << 20
SIZE = CloudVMSize("small", 1.0, 300 * MIB, 0.01)
GUEST_MIB = 96
IMAGES = Path("/var/lib/libvirt/flexcapsule")  # as each daemon sees it: its own, as on two machines
PATIENCE_S, POLL_S = 240.0, 0.2
patiently = partial(patience.patiently, patience_s=PATIENCE_S, poll_s=POLL_S)
SLOW_MIB_PER_S = 6  # so that a migration lasts some ten seconds: long enough to be interrupted


def _contract():
    spec = importlib.util.spec_from_file_location("actuator_contract_for_libvirt", CONTRACT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


contract = _contract()
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The guest's kernel and initramfs."""
    if reason := missing():
        pytest.skip(reason)
    try:
        built = image.ensure(print)
    except FlexCapsuleError as error:
        pytest.skip(f"the guest's kernel comes with the lab's image, and that cannot be built: {error}")
    directory = tmp_path_factory.mktemp("guest")
    make_guest(built, directory)
    return directory


@pytest.fixture(scope="module")
def stage(files, tmp_path_factory) -> Iterator[TwoHosts]:
    made = TwoHosts(tmp_path_factory.mktemp("lv"))
    yield made
    made.close()


@pytest.fixture
def hosts(stage: TwoHosts, files: Path) -> Iterator[LibvirtHosts]:
    """Two hosts that have the guest's files, and on which nothing runs."""
    made = runtimes(stage, IMAGES)
    for host in ("a", "b"):
        for file in (files / "vmlinux", files / "echo.cpio"):
            if not made.has_image(host, digest(file)):
                made.push_image(host, digest(file), file)
    swept(made)
    yield made
    swept(made)
    made.close()
    assert stage.guests() == []


def _asked(hosts: LibvirtHosts, name: str):
    with suppress(ActuationError):
        return hosts.host(name)
    return None


def swept(hosts: LibvirtHosts) -> None:
    for name in ("a", "b"):
        for app_vm in patiently(lambda name=name: _asked(hosts, name)).app_vms:
            if app_vm.state == "stopped":
                continue
            hosts.put_step(name, f"sweep-{uuid.uuid4().hex}", StepRequest("kill", uuid=app_vm.spec.uuid))
    patiently(lambda: not hosts.busy())


def spec(files: Path, name: str = "echo", last: int = 101) -> AppVMSpec:
    return AppVMSpec(
        str(uuid.uuid4()), name, digest(files / "vmlinux"), GUEST_MIB * MIB,
        address=f"{PREFIX}.{last}/24", files=digest(files / "echo.cpio"),
    )  # fmt: skip


def put(hosts: LibvirtHosts, on: str, request: StepRequest, step: str = "") -> str:
    step = step or f"t:{uuid.uuid4().hex}"
    hosts.put_step(on, step, request)
    return step


def carried_out(hosts: LibvirtHosts, on: str, request: StepRequest):
    step = put(hosts, on, request)
    patiently(lambda: hosts.step(on, step).outcome != "running")
    return hosts.step(on, step)


def started(hosts: LibvirtHosts, files: Path, on: str, **more) -> AppVMSpec:
    made = spec(files, **more)
    assert carried_out(hosts, on, StepRequest("start", spec=made)).outcome == "done"
    return made


def places(hosts: LibvirtHosts, of: str) -> dict[str, str]:
    """Host -> state, of one app VM, on those hosts that answer."""
    found = {}
    for name in ("a", "b"):
        with suppress(ActuationError):
            for each in hosts.host(name).app_vms:
                if each.spec.uuid == of:
                    found[name] = each.state
    return found


def answering(stage: TwoHosts, address: str) -> Watch:
    """A watch on a guest that answers, begun; end it with `ended`."""

    def begin() -> Watch | None:
        watch = Watch(address.partition("/")[0])
        watch.__enter__()
        time.sleep(2.0)
        if watch.arrivals:
            return watch
        watch.__exit__(None, None, None)
        return None

    return patiently(lambda: stage.within(begin).result())


def ended(watch: Watch) -> Watch:
    watch.__exit__(None, None, None)
    return watch


def test_a_guest_answers_while_it_moves_between_two_daemons(stage, hosts, files):
    moving = started(hosts, files, "a")
    watch = answering(stage, moving.address)
    report = carried_out(hosts, "a", StepRequest("migrate", uuid=moving.uuid, target="b", address="b"))
    ended(watch)
    assert report.outcome == "done", report.reason
    assert 0 < report.downtime_s < report.total_s
    assert report.sent_bytes > 10 * MIB
    assert places(hosts, moving.uuid) == {"b": "running"}
    assert stage.guests() == ["echo"]
    assert watch.connection == "intact"
    assert heard(watch.arrivals).largest_gap_s < report.total_s + 1.0


def test_a_downtime_limit_and_a_bandwidth_reach_the_driver(stage, hosts, files):
    moving = started(hosts, files, "a")
    answering(stage, moving.address).__exit__(None, None, None)
    other = runtimes(stage, IMAGES, bandwidth_bytes_per_s=SLOW_MIB_PER_S * MIB, downtime_s=0.5)
    slow = carried_out(other, "a", StepRequest("migrate", uuid=moving.uuid, target="b", address="b"))
    other.close()
    quick = carried_out(hosts, "b", StepRequest("migrate", uuid=moving.uuid, target="a", address="a"))
    assert (slow.outcome, quick.outcome) == ("done", "done"), (slow, quick)
    assert slow.sent_bytes / slow.total_s < 2 * SLOW_MIB_PER_S * MIB
    assert slow.total_s > 1.5 * quick.total_s


def test_what_a_restarted_controller_is_told_of_a_move(stage, hosts, files):
    """Memory gone, while it was under way, and after it: the same step is one move, and its end is told."""
    moving = started(hosts, files, "a")
    answering(stage, moving.address).__exit__(None, None, None)
    first = runtimes(stage, IMAGES, bandwidth_bytes_per_s=SLOW_MIB_PER_S * MIB)
    request = StepRequest("migrate", uuid=moving.uuid, target="b", address="b")
    put(first, "a", request, "e:move")
    patiently(lambda: hosts.step("a", "e:move") is not None)
    assert hosts.put_step("a", "e:move", request).outcome == "running"
    assert hosts.step("a", "e:move").outcome == "running"
    patiently(lambda: hosts.steps("a")["e:move"].outcome != "running")
    assert hosts.steps("a")["e:move"].outcome == "done"
    first.close()
    third = runtimes(stage, IMAGES)
    assert third.step("b", "e:move").outcome == "done"
    assert third.step("a", "e:move") is None
    third.close()
    assert places(hosts, moving.uuid) == {"b": "running"}


@pytest.mark.parametrize("victim", ["a", "b"])
@pytest.mark.parametrize("after_s", [0.3, 3.0])
def test_a_daemon_killed_in_the_middle_of_a_move_leaves_one_copy(stage, hosts, files, victim, after_s):
    moving = started(hosts, files, "a")
    answering(stage, moving.address).__exit__(None, None, None)
    slow = runtimes(stage, IMAGES, bandwidth_bytes_per_s=SLOW_MIB_PER_S * MIB)
    step = put(slow, "a", StepRequest("migrate", uuid=moving.uuid, target="b", address="b"))
    patiently(lambda: (found := hosts.step("a", step)) is not None and found.outcome == "running")
    time.sleep(after_s)
    stage.kill(victim)
    time.sleep(1.0)
    stage.start(victim)

    def one_runs() -> bool:
        found = places(slow, moving.uuid)
        slow.settle()
        return [*found.values()] == ["running"] and not slow.busy()

    patiently(one_runs)
    assert stage.guests() == ["echo"]
    answering(stage, moving.address).__exit__(None, None, None)
    assert patiently(lambda: _outcome(slow, step)) in ("done", "failed")
    slow.close()


def _outcome(hosts: LibvirtHosts, step: str) -> str:
    report = hosts.steps("a").get(step) or hosts.steps("b").get(step)
    return "" if report is None or report.outcome == "running" else report.outcome


def test_what_cannot_be_is_refused_with_its_reason(stage, hosts, files):
    too_large = AppVMSpec(str(uuid.uuid4()), "big", digest(files / "vmlinux"), 1 << 39)
    report = carried_out(hosts, "a", StepRequest("start", spec=too_large))
    assert (report.outcome, "MiB are free" in report.reason) == ("failed", True)
    lost = AppVMSpec(str(uuid.uuid4()), "lost", "0" * 64, GUEST_MIB * MIB)
    report = carried_out(hosts, "a", StepRequest("start", spec=lost))
    assert (report.outcome, "0000" in report.reason) == ("failed", True)
    moving = started(hosts, files, "a")
    report = carried_out(hosts, "a", StepRequest("save", uuid=moving.uuid))
    assert (report.outcome, report.reason) == ("failed", "save is not offered through libvirt")


def test_an_app_vm_is_paused_and_goes_on(stage, hosts, files):
    made = started(hosts, files, "a")
    assert carried_out(hosts, "a", StepRequest("pause", uuid=made.uuid)).outcome == "done"
    assert places(hosts, made.uuid) == {"a": "paused"}
    hosts.settle()
    assert places(hosts, made.uuid) == {"a": "paused"}, "it was paused on purpose"
    assert carried_out(hosts, "a", StepRequest("resume", uuid=made.uuid)).outcome == "done"
    assert places(hosts, made.uuid) == {"a": "running"}


# ---- the contract of the ports


@dataclass
class RealRig(contract.Rig):
    """Its turns last until every step has ended; the loop's time is the rig's, as everywhere."""

    cluster: LiveCluster | None = field(default=None)

    def turn(self):
        self.now += self.turn_s
        told = list(self.actuator.ended(self.now))
        deadline = time.monotonic() + PATIENCE_S
        while self.cluster._underway:
            assert time.monotonic() < deadline, self.cluster._underway
            time.sleep(POLL_S)
            told += self.actuator.ended(self.now)
        time.sleep(0.5)
        *_, observed = self.source.read(self.now)
        return told, observed


@pytest.fixture
def rig(stage: TwoHosts, hosts: LibvirtHosts, files: Path) -> Iterator[RealRig]:
    recipe = Recipe(Service(""), image="vmlinux", files="echo.cpio", stop_patience_s=0.0)
    shelf = StaticHosts([Host(name, SIZE, name, name) for name in ("a", "b")], on_sweep=hosts.settle)
    own = runtimes(stage, IMAGES)
    look = Look(shelf, own, Sightings({}))
    wiring = Wiring(
        look, Kept(uuid.uuid4().hex[:12]), {"": recipe}, Images(files), AddressPool(f"{PREFIX}.101-{PREFIX}.120/24")
    )
    cluster = LiveCluster(wiring)
    made = RealRig(cluster, cluster, 1_000_000.0, "app", ("a", "b"), size=SIZE, cluster=cluster)
    made.execute(StartAppVM(AppVM("app", memory_bytes=GUEST_MIB * MIB), "a"))
    told, _ = made.turn()
    assert contract.done(told)
    cluster._seen.clear()
    yield made
    cluster.close()


# ---- the controller itself

POLICY = """\
name: moving
every: 5s
strategy:
  name: composite
  replicas: {name: target_tracking, cpu_target: 60%}
  placement: {name: consolidate, cpu_ceiling: 95%, cpu_fill: 90%, cpu_floor: 60%}
limits:
  fresh: 60s
  headroom: {cpu: 0%, memory: 0%}
  cooldown: {serving: 5s, saving: 5s}
  stabilization: {saving: 10s}
  worth_it: {k: none}
"""

CONFIG = """\
policy: policy.yaml
tick: 5s
http: {{port: 0}}
journal: {{directory: journal}}
cluster:
  live:
    provider:
      libvirt:
        driver: qemu
        emulated: true
        bridge: br0
        images: {on_hosts}
        command_line: "console=ttyS0 quiet app.ip={{address}}"
        hosts:
          - {{name: a, size: small, uri: "{a}", transfer_uri: "tcp://127.0.0.1"}}
          - {{name: b, size: small, uri: "{b}", transfer_uri: "tcp://127.0.0.1"}}
    catalogue: [{{name: small, cores: 1, memory: 300MiB, price_per_hour: 0.01}}]
    images: {files}
    addresses: {prefix}.101-{prefix}.120/24
    services:
      - {{id: echo, image: vmlinux, files: echo.cpio, memory: 96MiB, cores: 0.4, stop_patience: 1s, {replicas}}}
"""


@pytest.fixture
def place(stage: TwoHosts, files: Path, tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def controller(place: Path, stage: TwoHosts, files: Path, replicas: str) -> subprocess.Popen[bytes]:
    (place / "live.yaml").write_text(
        CONFIG.format(
            on_hosts=IMAGES,
            a=stage.uri("a"),
            b=stage.uri("b"),
            files=files,
            prefix=PREFIX,
            replicas=replicas,
        )
    )
    argv = [sys.executable, "-c", "from autoscaler.cli.main import main; main()", "run", "--config", "live.yaml"]
    with (place / "said").open("ab") as said:
        return subprocess.Popen(argv, cwd=place, stdout=said, stderr=said, env={**os.environ, "NO_COLOR": "1"})


def until(running: subprocess.Popen[bytes], place: Path, seen: Callable[[], bool]) -> None:
    def ready() -> bool:
        assert running.poll() is None, (place / "said").read_text()
        return seen()

    try:
        patiently(ready)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)


def test_the_controller_starts_moves_and_stops_guests(stage, hosts, files, place):
    def runs() -> dict[str, list[str]]:
        return {name: [each.spec.name for each in hosts.host(name).app_vms if each.state == "running"] for name in "ab"}

    def counts() -> list[int]:
        return sorted(len(names) for names in runs().values())

    apart = controller(place, stage, files, "min_replicas: 2, max_replicas: 2, apart_from: [echo]")
    until(apart, place, lambda: counts() == [1, 1])
    before = runs()
    assert len(stage.guests()) == 2
    together = controller(place, stage, files, "min_replicas: 2, max_replicas: 2")
    until(together, place, lambda: counts() == [0, 2])
    assert set().union(*runs().values()) == set().union(*before.values()), "the same two, moved and not made anew"
    assert sum(each.moves for name in "ab" for each in hosts.host(name).app_vms) == 1
    fewer = controller(place, stage, files, "min_replicas: 1, max_replicas: 2")
    until(fewer, place, lambda: counts() == [0, 1])
    assert len(stage.guests()) == 1
