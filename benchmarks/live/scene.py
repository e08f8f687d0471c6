"""What the demonstration needs of this machine, made and taken away again: a lab, HAProxy, a controller as a process of its own.

Separate because taking away must also work for what an earlier run left that was killed: everything is found by its name.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from autoscaler.adapters import haproxy_process
from autoscaler.errors import FlexCapsuleError, UsageError
from autoscaler.lab import accelerator, bringup, image, machine, reach, record, teardown
from autoscaler.lab.layout import HOST, Layout
from autoscaler.lab.record import Record

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "libos" / "build"
POLICY = Path(__file__).with_name("policy.yaml")
PORTS = {"web": 8081, "api": 8082}
MIB = 1 << 20
# `memory` is what app VMs may have. A quarter-gigabyte management VM stays beside it, see autoscaler/lab/machine.py.
CATALOGUE = (
    {"name": "small", "cores": 1, "memory": "256MiB", "price_per_hour": 0.05},
    {"name": "large", "cores": 2, "memory": "512MiB", "price_per_hour": 0.11},
)
SERVICE = {"image": "httpd.elf", "memory": "16MiB", "cores": 0.5, "min_replicas": 1, "max_replicas": 2, "port": 80}
MOST_CLOUD_VMS = 6  # at the worst moment: three that run, a bigger one being made, one being released
PATIENCE_S = 300.0
END_S = 30.0
TICK = "5s"
LAST_WORDS = "tail -n 500 /var/log/flexcapsule-agent.log; tail -n 30 /var/log/xen/guest-*.log"


@dataclass(slots=True)
class Controller:
    """`flexcapsule run`, which can be killed and started again: its journal stays."""

    config: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        argv = [
            sys.executable,
            "-c",
            "from autoscaler.cli.main import main; main()",
            "run",
            "--config",
            str(self.config),
        ]
        with self.log.open("ab") as log:  # it ends when we do, however we end
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )

    def check(self) -> None:
        """Raises UsageError with its last words where it has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
            raise UsageError("the controller ended by itself; its last words:\n" + "\n".join(said))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass(frozen=True, slots=True)
class Scene:
    lab: Record
    controller: Controller
    journal: Path
    addresses: dict[str, tuple[str, int]]
    start_up_s: float


@contextmanager
def staged(name: str, out: Path, say: Callable[[str], None], accelerator_name: str = "auto") -> Iterator[Scene]:
    """All of it, running; and nothing of it afterwards, also where an interrupt comes in the middle."""
    bringup.require_root()
    if not (IMAGES / str(SERVICE["image"])).exists():
        raise UsageError("the web server's image is missing; `make -C libos` builds it")
    clear(name, say)
    out.mkdir(parents=True, exist_ok=True)
    controller: Controller | None = None
    try:
        lab, start_up_s = _lab(name, say, accelerator_name)
        directory = lab.layout.directory
        frontends = {service: f"{lab.layout.front(HOST)}:{port}" for service, port in PORTS.items()}
        socket = haproxy_process.ensure(directory / "haproxy", frontends)
        config = _config(lab, socket, directory)
        controller = Controller(config, out / "controller.log")
        controller.log.unlink(missing_ok=True)
        controller.start()
        addresses = {service: (lab.layout.front(HOST), port) for service, port in PORTS.items()}
        yield Scene(lab, controller, directory / "journal", addresses, start_up_s)
    finally:
        with _undisturbed():
            say("cleaning up")
            if controller is not None:
                controller.end()
            _keep_logs(name, out)
            clear(name, say)


def clear(name: str, say: Callable[[str], None]) -> None:
    """Remove whatever a run of this name has on the machine, an earlier one that was killed included."""
    haproxy_process.end(Layout(name).directory / "haproxy")
    teardown.down(name, say)


def _keep_logs(name: str, out: Path) -> None:
    """What agents and app VMs said last, of the cloud VMs that are still there: for whoever asks why."""
    lab = record.read(name)
    if lab is None:
        return
    for shape in lab.cloud_vms:
        with suppress(FlexCapsuleError):  # it is being released, or never came up
            (out / f"{shape.name}.log").write_text(reach.said(lab, shape.name, LAST_WORDS, patience_s=20.0))


def _lab(name: str, say: Callable[[str], None], accelerator_name: str) -> tuple[Record, float]:
    """The lab, and how long its first cloud VM took to start."""
    built = image.ensure(say)
    chosen = accelerator.choose(accelerator_name, built, say)
    small = CATALOGUE[0]
    memory_mib = machine.memory_mib_for(float(str(small["memory"]).removesuffix("MiB")))
    say(f"starting the first cloud VM ({chosen})")
    shapes = bringup.shapes(1, int(str(small["cores"])), memory_mib)
    began = time.monotonic()
    lab = bringup.up(name, shapes, built=built, accelerator=chosen, follow=lambda _: None, patience_s=PATIENCE_S)
    return lab, time.monotonic() - began


def _config(lab: Record, socket: Path, directory: Path) -> Path:
    front = lab.layout.front
    live = {
        "provider": {"lab": {"name": lab.name, "most": MOST_CLOUD_VMS}},
        "catalogue": list(CATALOGUE),
        "images": str(IMAGES),
        "addresses": f"{front(101)}-{front(180)}/24",
        "gateway": front(HOST),
        "load_balancer": {"haproxy": {"socket": str(socket)}},
        "services": [
            {"id": "web", **SERVICE, "apart_from": ["web"], "arguments": ["80"]},
            {"id": "api", **SERVICE, "arguments": ["80"]},
        ],
    }
    document = {
        "policy": str(POLICY),
        "tick": TICK,
        "cluster": {"live": live},
        "journal": {"directory": str(directory / "journal")},
        "http": {"port": 0, "token_file": str(directory / "token")},
    }
    path = directory / "live.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not leave half a lab behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError):
                signal.signal(number, handler)


def leftovers(name: str) -> str:
    """What a run of this name still has on the machine, in words; "" when nothing."""
    from autoscaler.lab import leftovers as found

    rest = found.find(Layout(name))
    number = haproxy_process.pid(Layout(name).directory / "haproxy")
    return "; ".join(filter(None, (str(rest) if rest else "", f"haproxy {number}" if number else "")))
