"""Agents on real Xen: a lab of two cloud VMs for all tests of this room, and callers of their APIs.

FLEXCAPSULE_LAB=NAME uses a lab that is up already (while working on agents): its agents are brought to the checkout's version.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_labs import fresh_lab

from autoscaler import keys
from autoscaler.lab import reach, record, seed
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import Record

LIBOS = Path(__file__).resolve().parents[3] / "libos"
MEMORY_MIB = 640
PATIENCE_S = 300.0  # a busy machine, under emulation
POLL_S = 0.1
BUILD_PATIENCE_S = 900.0


@pytest.fixture(scope="session")
def built() -> Path:
    tried = subprocess.run(
        ["make", "-C", str(LIBOS), "all", "guest-tests"],
        capture_output=True,
        text=True,
        timeout=BUILD_PATIENCE_S,
        check=False,
    )
    if "missing Debian packages" in tried.stderr or "could not get the source package" in tried.stderr:
        pytest.skip(tried.stderr.strip())
    assert tried.returncode == 0, tried.stdout + tried.stderr
    return LIBOS / "build"


@pytest.fixture(scope="session")
def lab() -> Iterator[Record]:
    if standing := os.environ.get("FLEXCAPSULE_LAB"):
        there = record.existing(standing)
        _bring_up_to_date(there)
        yield there
        return
    with fresh_lab("agents", patience_s=PATIENCE_S) as made:
        yield made


def _bring_up_to_date(lab: Record) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for module in seed._agent_modules():
            archive.add(module, f"autoscaler/{module.relative_to(seed.PACKAGE)}")
    for shape in lab.cloud_vms:
        take = "mkdir -p /run/seed/flexcapsule && tar x -C /run/seed/flexcapsule && kill $(pidof python3)"
        subprocess.run(reach.ssh_argv(lab, shape.name, [take]), input=packed.getvalue(), check=False)


@dataclass
class Agent:
    """The agent of one cloud VM, asked as the controller, and app VMs started through it: gone after the test."""

    lab: Record
    name: str
    client: httpx.Client
    started: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self.client.request(method, path, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def await_answer(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Its host report: after a start it needs a while."""
        deadline = time.monotonic() + patience_s
        while True:
            with suppress(httpx.TransportError, httpx.HTTPStatusError):
                report: dict[str, Any] = self.ask("GET", "/v1/host")
                return report
            assert time.monotonic() < deadline, f"{self.name}'s agent does not answer: {self.log()}"
            time.sleep(POLL_S)

    def log(self) -> str:
        return reach.said(self.lab, self.name, "tail -40 /var/log/flexcapsule-agent.log", check=False)

    def step(self, kind: str, *, patience_s: float = PATIENCE_S, step: str = "", **request: Any) -> dict[str, Any]:
        """Submitted, and how it ended."""
        step = step or f"test:{uuid.uuid4()}"
        found: dict[str, Any] = self.ask("PUT", f"/v1/steps/{step}", json={"kind": kind, **request})
        return self.ended(step, patience_s) if found["outcome"] == "running" else found

    def ended(self, step: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        deadline = time.monotonic() + patience_s
        while (found := self.ask("GET", f"/v1/steps/{step}"))["outcome"] == "running":
            assert time.monotonic() < deadline, f"{step} goes on and on: {self.log()}"
            time.sleep(POLL_S)
        return dict(found)

    def start(self, program: Path, name: str, *, memory_mib: int = 16, files: bytes = b"", **more: Any) -> str:
        """The uuid of a new app VM that runs `program`."""
        app_vm = str(uuid.uuid4())
        spec = {
            "uuid": app_vm, "name": name, "image": self.push(program.read_bytes()), "memory_bytes": memory_mib << 20,
            "address": f"{self.lab.layout.front(150 + len(self.started))}/24", **more,
        }  # fmt: skip
        if files:
            spec["files"] = self.push(files)
        self.started.append(app_vm)
        done = self.step("start", spec=spec)
        assert done["outcome"] == "done", done
        return app_vm

    def push(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.ask("PUT", f"/v1/images/{digest}", content=content)
        return digest

    def report(self, app_vm: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/v1/app-vms/{app_vm}"))

    def wait(self, app_vm: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """How it ended."""
        return dict(self.ask("GET", f"/v1/app-vms/{app_vm}/wait", timeout=patience_s)["ended"])

    def logs(self, app_vm: str, **query: Any) -> str:
        return str(self.client.get(f"/v1/app-vms/{app_vm}/logs", params=query).text)

    def await_log(self, app_vm: str, words: str, patience_s: float = PATIENCE_S) -> str:
        deadline = time.monotonic() + patience_s
        while words not in (said := self.logs(app_vm)):
            assert time.monotonic() < deadline, said
            time.sleep(POLL_S)
        return said


@pytest.fixture
def agent_of(lab: Record) -> Iterator[Callable[[str], Agent]]:
    agents: dict[str, Agent] = {}

    def agent(name: str) -> Agent:
        if name not in agents:
            base = f"https://{lab.layout.front(ordinal(name))}:8650"
            client = httpx.Client(verify=keys.context(lab.layout.keys), base_url=base, timeout=60.0, trust_env=False)
            agents[name] = Agent(lab, name, client)
            agents[name].await_answer()
        return agents[name]

    yield agent
    for each in agents.values():
        for app_vm in each.started:
            for kind in ("kill", "remove"):
                with suppress(httpx.HTTPError, AssertionError):
                    each.step(kind, uuid=app_vm)
        each.client.close()


@pytest.fixture
def agent(agent_of: Callable[[str], Agent]) -> Agent:
    return agent_of("cv1")
