"""Agents in memory behind real HTTP, for tests of the controller's side: what they say is right, and time is what the test says.

They know the wire types of autoscaler.agent and nothing of its runtime. A step is done as soon as anybody asks for it more than
its agent's `step_s` after it was submitted; `stalled` agents let theirs go on, `silent` ones answer nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from autoscaler import keys
from autoscaler.agent.descriptions import (
    AppVMReport,
    AppVMSpec,
    Ended,
    HostReport,
    StepReport,
    StepRequest,
    read_step_request,
)
from autoscaler.agent.wire import plain
from autoscaler.errors import UsageError

MIB = 1 << 20


@dataclass
class FakeAppVM:
    spec: AppVMSpec
    state: str = "running"
    cores_used: float = 0.25
    since: float = 0.0
    ended: Ended | None = None
    memory_used_bytes: int = 8 * MIB


@dataclass
class FakeAgent:
    """`steps`: id -> (request, submitted at, report)."""

    name: str
    fleet: Fleet
    memory_bytes: int = 1 << 30
    app_vms: dict[str, FakeAppVM] = field(default_factory=dict)
    steps: dict[str, tuple[StepRequest, float, StepReport]] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    silent: bool = False
    stalled: bool = False
    step_s: float = 0.0  # how long a step takes
    cores_used: float = 0.25  # of an app VM that is started here
    sample_age_s: float | None = 1.0
    submitted: list[str] = field(default_factory=list)
    address: str = ""
    fenced: list[tuple[str, str]] = field(default_factory=list)

    def report(self) -> HostReport:
        self.settle()
        return HostReport(
            cloud_vm=self.name, cores=2, memory_bytes=self.memory_bytes, free_bytes=0, agent_version="fake",
            boot_id=f"boot of {self.name}", clock=0.0, can_log_dirty=True, app_vms=tuple(self._app_vm(a) for a in self.app_vms.values()),
        )  # fmt: skip

    def _app_vm(self, app_vm: FakeAppVM) -> AppVMReport:
        sampled = max(0.0, self.fleet.clock() - (self.sample_age_s or 0.0) - app_vm.since)
        return AppVMReport(
            app_vm.spec, app_vm.state, app_vm.ended, cpu_s=sampled * app_vm.cores_used,
            memory_used_bytes=app_vm.memory_used_bytes, sample_age_s=self.sample_age_s,
        )  # fmt: skip

    def put(self, step: str, request: StepRequest) -> StepReport:
        if step not in self.steps:
            self.submitted.append(step)
            self.steps[step] = (request, self.fleet.clock(), StepReport(step, "running"))
        return self.steps[step][2]

    def settle(self) -> None:
        """All agents at once: what moves is never seen at neither end, as real agents have it arriving before it leaves."""
        with self.fleet.lock:
            for agent in self.fleet.agents.values():
                agent.settle_own()

    def settle_own(self) -> None:
        for step, (request, at, report) in list(self.steps.items()):
            if report.outcome == "running" and not self.stalled and self.fleet.clock() > at + self.step_s:
                reason = self._carry_out(request)
                figures = (
                    {"total_s": 1.5, "downtime_s": 0.25, "sent_bytes": 9 * MIB, "phases": {"whole_s": 0.75}}
                    if request.kind == "migrate"
                    else {}
                )
                ended = StepReport(step, "failed", reason) if reason else StepReport(step, "done", **figures)
                self.steps[step] = (request, at, ended)

    def _carry_out(self, request: StepRequest) -> str:
        now = self.fleet.clock()
        if request.spec is not None:
            if request.spec.image not in self.images:
                return "the image is not here"
            self.app_vms[request.spec.uuid] = FakeAppVM(request.spec, cores_used=self.cores_used, since=now)
            return ""
        app_vm = self.app_vms.get(request.uuid)
        if app_vm is None:
            return f"there is no app VM {request.uuid} here"
        if request.kind == "stop":
            app_vm.state, app_vm.ended = "stopped", Ended("stopped", now)
        elif request.kind == "remove":
            del self.app_vms[request.uuid]
        elif request.kind == "migrate":
            target = next(agent for agent in self.fleet.agents.values() if agent.name == request.target)
            target.app_vms[request.uuid] = replace(self.app_vms.pop(request.uuid), since=now)
        return ""


class Fleet:
    """Agents that know each other. `keys`: where their certificates are, None = plain HTTP; `clock`: None = what `now` is set to.
    Close it."""

    def __init__(self, keys_directory: Path | None = None, clock: Callable[[], float] | None = None) -> None:
        self.now = 0.0
        self._keys, self._clock = keys_directory, clock
        self.lock = threading.RLock()
        self.agents: dict[str, FakeAgent] = {}
        self._listeners: list[ThreadingHTTPServer] = []

    def clock(self) -> float:
        return self.now if self._clock is None else self._clock()

    def add(self, name: str, **more) -> FakeAgent:
        agent = self.agents[name] = FakeAgent(name, self, **more)
        listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"agent": agent}))
        listener.daemon_threads = True
        if self._keys is not None:
            keys.issue(self._keys, name, ["127.0.0.1"])
            listener.socket = keys.context(self._keys, name, serving=True).wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        agent.address = f"127.0.0.1:{listener.server_address[1]}"
        self._listeners.append(listener)
        return agent

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()

    def where(self, name: str) -> list[str]:
        """Agents on which an app VM of that name runs."""
        return [
            agent.name
            for agent in self.agents.values()
            for app_vm in agent.app_vms.values()
            if app_vm.spec.name == name and app_vm.state == "running"
        ]


class Handler(BaseHTTPRequestHandler):
    agent: FakeAgent
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words) -> None:
        """Tests say enough."""

    def do_GET(self) -> None:
        agent, path = self.agent, self.path
        if agent.silent:
            self.close_connection = True
            return
        agent.settle()
        if path == "/v1/host":
            self._say(200, plain(agent.report()))
        elif path == "/v1/steps":
            self._say(200, [plain(report) for _, _, report in agent.steps.values()])
        elif path.removeprefix("/v1/steps/") in agent.steps:
            self._say(200, plain(agent.steps[path.removeprefix("/v1/steps/")][2]))
        else:
            self._say(404, {"error": f"nothing is at {path}"})

    def do_HEAD(self) -> None:
        self._say(200 if self.path.removeprefix("/v1/images/") in self.agent.images else 404, None)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or self._chunks()
        if self.agent.silent:
            self.close_connection = True
        elif self.path.startswith("/v1/fenced/"):
            self.agent.fenced.append((self.path.removeprefix("/v1/fenced/"), json.loads(body)["boot_id"]))
            self._say(200, {})
        elif self.path.startswith("/v1/images/"):
            self.agent.images[hashlib.sha256(body).hexdigest()] = body
            self._say(200, {})
        else:
            try:
                step = self.path.removeprefix("/v1/steps/")
                self._say(200, plain(self.agent.put(step, read_step_request(json.loads(body)))))
            except UsageError as error:
                self._say(422, {"error": str(error)})

    def do_DELETE(self) -> None:
        step = self.path.removeprefix("/v1/steps/")
        self.agent.settle()
        if step in self.agent.steps and self.agent.steps[step][2].outcome == "running":
            self._say(409, {"error": "it is under way"})
        else:
            self._say(200 if self.agent.steps.pop(step, None) else 404, {})

    def _chunks(self) -> bytes:
        body = b""
        while self.headers.get("transfer-encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return body

    def _say(self, status: int, document: object) -> None:
        text = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
