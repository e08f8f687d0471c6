"""The controller on real Xen: the contract of its ports against real agents, and `flexcapsule run` killed in the middle of a move.

A lab of its own, as cloud VMs of it are released and rented here. FLEXCAPSULE_CONTROLLER_LAB=NAME uses one that is up already.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from own_labs import fresh_lab
from patience import patiently

from autoscaler.adapters.agents import AddressPool, Agents, Images, LiveCluster, Recipe, Wiring
from autoscaler.adapters.agents.errands import Kept
from autoscaler.adapters.agents.look import Look
from autoscaler.adapters.agents.sightings import Sightings
from autoscaler.adapters.decisions import JournalReader
from autoscaler.adapters.providers.lab import LabCloud
from autoscaler.agent.descriptions import StepRequest
from autoscaler.cli.assembly import JOURNAL_FILE
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.model import AppVM, CloudVMSize, Service
from autoscaler.core.steps import StartAppVM
from autoscaler.errors import ActuationError, SourceError
from autoscaler.lab import expansion, record
from autoscaler.lab.record import Record
from autoscaler.verification import verify

pytestmark = pytest.mark.system

CONTRACT = Path(__file__).parents[2] / "contract" / "test_actuator_contract.py"
MIB = 1 << 20
SIZE = CloudVMSize("small", 1.0, 300 * MIB, 0.01)
MEMORY_MIB, PATIENCE_S, POLL_S = 640, 600.0, 0.5
POLICY = """\
name: moving
every: 5s
strategy:
  name: composite
  replicas: {name: target_tracking, cpu_target: 60%}
  placement: {name: consolidate, cpu_ceiling: 95%, cpu_fill: 90%, cpu_floor: 50%}
limits:
  fresh: 60s
  headroom: {cpu: 0%, memory: 0%}
  cooldown: {serving: 10s, saving: 10s}
  stabilization: {saving: 30s}
  worth_it: {k: none}
"""

MOMENTS = int(os.environ.get("FLEXCAPSULE_MOVES", "10"))  # of a migration at which the controller is killed
MIGRATION_S = 2.5  # over so much of it, from the instant at which it was journalled
RESTLESS = """\
name: restless
every: 2s
strategy:
  name: composite
  replicas: {name: target_tracking, cpu_target: 60%}
  placement: {name: to_and_fro}
limits:
  fresh: 60s
  cooldown: {serving: 0s, saving: 0s}
  stabilization: {serving: 0s, saving: 0s}
  downtime_budget: none
  worth_it: {k: none}
"""
TO_AND_FRO = '''\
"""The first app VM changes its cloud VM at every decision: what a test of deaths in the middle of moves needs."""

from dataclasses import dataclass

from autoscaler import Move, Separate


@dataclass(frozen=True)
class ToAndFro:
    def propose(self, snapshot):
        if snapshot.in_flight or len(snapshot.cloud_vms) < 2 or not len(snapshot.app_vms) or snapshot.placement[0] < 0:
            return []
        here = int(snapshot.placement[0])
        names = [cloud_vm.id for cloud_vm in snapshot.cloud_vms]
        return [Separate(names[here], (Move(snapshot.app_vms[0].id, names[1 - here]),), "because it can", {})]
'''


def _contract():
    spec = importlib.util.spec_from_file_location("actuator_contract", CONTRACT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


contract = _contract()
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture(scope="module")
def own_lab() -> Iterator[str]:
    """The name of a lab of this room's own."""
    if standing := os.environ.get("FLEXCAPSULE_CONTROLLER_LAB"):
        yield record.existing(standing).name
        return
    with fresh_lab("controller", patience_s=PATIENCE_S) as made:
        yield made.name


def _ignore(_progress: object) -> None:
    """Nobody watches."""


@dataclass
class Ground:
    """A lab of two cloud VMs on which nothing runs, and one more controller's end on it."""

    lab: Record
    cluster: LiveCluster
    look: Look
    agents: Agents

    @property
    def cloud_vms(self) -> list[str]:
        return [rented.id for rented in self.look.provider.cloud_vms()]


def ground(name: str, built: Path) -> Ground:
    lab = record.existing(name)
    agents = Agents(lab.layout.keys)
    look = Look(LabCloud(name, (SIZE,), most=3), agents, Sightings({}))
    front = lab.layout.front
    cluster = LiveCluster(
        Wiring(
            look, Kept(uuid.uuid4().hex[:12]), {"": Recipe(Service(""), image="httpd.elf")}, Images(built),
            AddressPool(f"{front(101)}-{front(250)}/24"),
        )
    )  # fmt: skip
    return Ground(lab, cluster, look, agents)


def swept(name: str, agents: Agents) -> None:
    """Exactly two cloud VMs, on which nothing runs and nothing is remembered."""
    while len(record.existing(name).cloud_vms) > 2:
        expansion.remove(name, record.existing(name).cloud_vms[-1].name)
    while len(record.existing(name).cloud_vms) < 2:
        expansion.add(name, 1, MEMORY_MIB, follow=_ignore, patience_s=PATIENCE_S)
    for shape in record.existing(name).cloud_vms:
        address = record.existing(name).layout.front(int(shape.name.removeprefix("cv")))
        report = patiently(lambda address=address: _host(agents, address))
        for app_vm in report.app_vms:
            for kind in ("kill", "remove"):
                step = f"sweep-{uuid.uuid4().hex}"
                with suppress(ActuationError):
                    agents.put_step(address, step, StepRequest(kind, uuid=app_vm.spec.uuid))
                    patiently(lambda address=address, step=step: agents.step(address, step).outcome != "running")


def _host(agents: Agents, address: str):
    with suppress(ActuationError):
        return agents.host(address)
    return None


@dataclass
class RealRig(contract.Rig):
    """Its turns last until every step has ended; the loop's time is the rig's, as everywhere."""

    ground: Ground | None = field(default=None)

    def turn(self):
        self.now += self.turn_s
        ended = list(self.actuator.ended(self.now))
        deadline = time.monotonic() + PATIENCE_S
        while self.ground.cluster._underway:
            assert time.monotonic() < deadline, self.ground.cluster._underway
            time.sleep(POLL_S)
            ended += self.actuator.ended(self.now)
        time.sleep(3.0)  # agents sample every second or two: there is something new to see
        *_, observed = self.source.read(self.now)
        return ended, observed


def real_rig(name: str, built: Path) -> RealRig:
    on = ground(name, built)
    return RealRig(on.cluster, on.cluster, 1_000_000.0, "app", tuple(on.cloud_vms), size=SIZE, ground=on)


@pytest.fixture
def rig(own_lab: str, built: Path) -> Iterator[RealRig]:
    """Begins with its first look, as a controller does: what starts the app VM is another one."""
    starter = real_rig(own_lab, built)
    swept(own_lab, starter.ground.agents)
    starter.execute(StartAppVM(AppVM("app", memory_bytes=16 * MIB), starter.ground.cloud_vms[0]))
    ended, _ = starter.turn()
    starter.ground.cluster.close()
    assert contract.done(ended)
    made = real_rig(own_lab, built)
    yield made
    made.ground.cluster.close()


@pytest.fixture
def place(own_lab: str, built: Path, tmp_path: Path) -> Path:
    """A directory with a config for the lab."""
    agents = Agents(record.existing(own_lab).layout.keys)
    swept(own_lab, agents)
    agents.close()
    front = record.existing(own_lab).layout.front
    service = {
        "id": "web",
        "image": "httpd.elf",
        "arguments": ["80"],
        "memory": "16MiB",
        "cores": 0.4,
        "min_replicas": 3,
        "max_replicas": 4,
    }
    live = {
        "provider": {"lab": {"name": own_lab, "most": 2}},
        "catalogue": [{"name": "small", "cores": 1, "memory": "300MiB", "price_per_hour": 0.01}],
        "services": [service], "images": str(built), "addresses": f"{front(101)}-{front(250)}/24",
    }  # fmt: skip
    config = {
        "policy": "policy.yaml", "tick": "2s", "cluster": {"live": live}, "log": {"format": "json"}, "http": {"port": 0},
    }  # fmt: skip
    (tmp_path / "live.yaml").write_text(json.dumps(config))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def started(place: Path) -> subprocess.Popen:
    with (place / "log").open("ab") as said:
        command = [sys.executable, "-c", "from autoscaler.cli.main import main; main()", "run", "--config", "live.yaml"]
        environment = {**os.environ, "PYTHONPATH": str(place)}  # where a strategy may be that only a test has
        return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=said)


def test_a_controller_killed_in_the_middle_of_a_move_goes_on_after_it(own_lab, built, place):
    """Three replicas are started; all go to one cloud VM, and the other is released; the controller dies as the first one moves."""
    eyes = ground(own_lab, built)
    process = started(place)
    try:
        patiently(lambda: '"kind": "migrate"' in (place / "log").read_text())
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        process = started(place)
        patiently(lambda: len(record.existing(own_lab).cloud_vms) == 1)
        sights = patiently(lambda: _seen(eyes))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert {sight.place for sight in sights} == {eyes.cloud_vms[0]}
    for sight in sights:
        assert httpx.get(f"http://{sight.address}/", timeout=30.0, trust_env=False).status_code < 500
    eyes.cluster.close()
    journal = place / "var" / "journal" / JOURNAL_FILE
    assert verify(journal, TOOLBOX).same
    kinds = [entry.kind for entry in JournalReader(journal).written()]
    assert kinds.count("Execute") >= 3 + 3


@pytest.fixture
def restless(place: Path) -> Path:
    """The same place, with one replica and a policy, of a strategy of its own, that never lets it rest."""
    package = place / "to_and_fro-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: to-and-fro\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[flexcapsule.strategies]\nto_and_fro = to_and_fro:ToAndFro\n")
    (place / "to_and_fro.py").write_text(TO_AND_FRO)
    (place / "policy.yaml").write_text(RESTLESS)
    config = json.loads((place / "live.yaml").read_text())
    config["cluster"]["live"]["services"][0] |= {"min_replicas": 1, "max_replicas": 1}
    (place / "live.yaml").write_text(json.dumps(config))
    return place


def test_a_controller_killed_at_many_moments_of_moves_loses_and_doubles_nothing(own_lab, built, restless):
    """Each time it is killed a little later into a move, and each time its successor goes on and begins the next."""
    eyes, log = ground(own_lab, built), restless / "log"
    process = started(restless)
    try:
        for moment in range(MOMENTS):
            before = _moves(log)
            patiently(lambda before=before: _moves(log) > before)
            time.sleep(moment * MIGRATION_S / MOMENTS)
            process.send_signal(signal.SIGKILL)
            assert process.wait(60) == -signal.SIGKILL
            process = started(restless)
            patiently(lambda: _seen(eyes, 1))
        patiently(lambda: log.read_text().count('"event": "serving"') == MOMENTS + 1)  # from then on it heeds SIGTERM
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()
    (sight,) = patiently(lambda: _seen(eyes, 1))
    assert httpx.get(f"http://{sight.address}/", timeout=30.0, trust_env=False).status_code < 500
    eyes.cluster.close()
    journal = restless / "var" / "journal" / JOURNAL_FILE
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(restless)
        assert verify(journal, TOOLBOX).same
    executed = [entry.text for entry in JournalReader(journal).written() if entry.kind == "Execute"]
    assert sum("StartAppVM" in text for text in executed) == 1, "it was started once, and never again"


def _moves(log: Path) -> int:
    """How many migrations were begun."""
    return log.read_text().count('"kind": "migrate"') if log.exists() else 0


def _seen(eyes: Ground, count: int = 3):
    """The replicas, once all of them are seen to run, each in one place and without a doubt."""
    with suppress(SourceError, ActuationError):
        eyes.look.take(1_000_000.0)
        sights = list(eyes.look.sightings.sights.values())
        settled = len(sights) == count and not eyes.look.doubts() and all(sight.state == "running" for sight in sights)
        return sights if settled else None
    return None
