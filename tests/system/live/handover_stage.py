"""Two agents of stage_agent.py on a lab's cloud VMs, a pulse that moves between them, and hands to break things with.

Separate from the tests so that these read as what they are: at this point, that breaks, and afterwards exactly one copy runs.
"""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import socket
import subprocess
import tarfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from autoscaler import keys
from autoscaler.lab import bringup, machine, reach
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import CloudVMShape, Record

PACKAGE = Path(keys.__file__).resolve().parents[1]
AGENT = Path(__file__).with_name("stage_agent.py")
TREE, PORT = "/root/stage", 8661
PATIENCE_S = 180.0  # a busy machine, under emulation
BOOT_PATIENCE_S = 600.0
LOOK_S = 0.3
CUT_S = 20.0  # longer than an agent's patience: each side gives up on the other


class StageAgent:
    """One agent's process on a cloud VM, driven over ssh."""

    def __init__(self, lab: Record, name: str) -> None:
        self.lab, self.name = lab, name
        self.address = lab.layout.back(ordinal(name))
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        words = [f"cd {TREE} && exec python3 stage_agent.py {name} {self.address}"]
        self._process = subprocess.Popen(
            reach.ssh_argv(lab, name, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self.await_word("ready")

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard.put(json.loads(line))
        self._heard.put({"gone": self.name})

    def say(self, **words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def await_word(self, *wanted: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        deadline = time.monotonic() + patience_s
        while True:
            said = self._heard.get(timeout=max(0.1, deadline - time.monotonic()))
            if any(word in said for word in wanted):
                return said
            assert "gone" not in said, f"the agent on {self.name} ended by itself"

    def arm(self, kind: str, point: str) -> None:
        self.say(**{kind: point})
        self.await_word("armed")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Its input ends, and so does it; where the cloud VM is dead, ssh is ended instead."""
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Stage:
    def __init__(self, lab: Record, built: Path, directory: Path) -> None:
        self.lab, self._directory = lab, directory
        self.agents: dict[str, StageAgent] = {}
        self.names = [shape.name for shape in lab.cloud_vms[:2]]
        self.where, self.step = self.names[0], 0
        keys.init(directory / "keys")
        for name in self.names:
            keys.issue(directory / "keys", name, [lab.layout.back(ordinal(name))])
            self._furnish(name)
            self.start(name)
        self.address = lab.layout.front(180)
        self._built = built
        self.app_vm = self._pulse()

    def _furnish(self, name: str) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("autoscaler/__init__.py"), io.BytesIO())
            modules = [PACKAGE / "errors.py", *(PACKAGE / "agent").glob("*.py")]
            for module in modules:
                archive.add(module, f"autoscaler/{module.relative_to(PACKAGE)}")
            archive.add(AGENT, AGENT.name)
            for file in ("authority.pem", f"{name}.pem", f"{name}.key"):
                archive.add(self._directory / "keys" / file, f"keys/{file}")
        take = f"rm -rf {TREE} /root/keys; mkdir -p {TREE} && tar -x -C {TREE} && ln -sfn {TREE}/keys /root/keys"
        subprocess.run(reach.ssh_argv(self.lab, name, [take]), input=packed.getvalue(), check=True)

    def start(self, name: str) -> StageAgent:
        if name in self.agents:
            self.agents[name].end()
        self.agents[name] = StageAgent(self.lab, name)
        return self.agents[name]

    def _pulse(self) -> str:
        stripped, config = self._directory / "pulse.elf", self._directory / "moving.cfg"
        subprocess.run(["strip", "-o", stripped, self._built / "pulse.elf"], check=True)
        config.write_text(
            'name="moving"\ntype="pv"\nkernel="/root/pulse.elf"\nmemory=16\n'
            f"extra='ip={self.address}/24 -- 7 20'\nvif=[\"bridge=xenbr0,script=vif-fast\"]\n"
        )
        reach.copy(self.lab, self.where, [stripped, config], "/root/")
        reach.said(self.lab, self.where, "xl create -e -q /root/moving.cfg", patience_s=PATIENCE_S)
        assert self.age() is not None
        read = "xenstore-read /local/domain/$(xl domid moving)/vm"
        return reach.said(self.lab, self.where, read).strip().removeprefix("/vm/")

    @property
    def source(self) -> StageAgent:
        return self.agents[self.where]

    @property
    def target(self) -> StageAgent:
        return self.agents[next(name for name in self.names if name != self.where)]

    def side(self, side: str) -> StageAgent:
        return self.source if side == "leaving" else self.target

    def send(self) -> None:
        self.step += 1
        address = f"{self.target.address}:{PORT}"
        self.source.say(
            send={
                "step": f"{os.getpid()}:{self.step}",
                "app_vm": self.app_vm,
                "target": self.target.name,
                "address": address,
            }
        )

    def age(self, patience_s: float = PATIENCE_S) -> int | None:
        """Pulse's own clock in ns, which goes on across moves and begins anew in a new pulse; None where it is silent."""
        deadline = time.monotonic() + patience_s
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            while time.monotonic() < deadline:
                with suppress(OSError):
                    asking.sendto(b"state", (self.address, 7))
                    return int(asking.recv(128).split()[2])
        return None

    def copies(self, name: str) -> list[tuple[str, str]]:
        """(handle's kind, state) of every domain but the first on a cloud VM: running, suspended, paused, other."""
        listed = reach.said(self.lab, name, f"cd {TREE} && python3 -S -c '{LOOK}'", patience_s=PATIENCE_S)
        found: list[tuple[str, str]] = [(handle, state) for handle, state in json.loads(listed)]
        return [("app VM" if handle == self.app_vm else "half", state) for handle, state in found]

    def await_exactly_one(self, patience_s: float = PATIENCE_S) -> None:
        """One copy runs and answers, nothing else is left of it anywhere; at no look do two run."""
        deadline = time.monotonic() + patience_s
        while True:
            here = {name: self.copies(name) for name in self.names}
            running = [name for name in self.names for copy in here[name] if copy == ("app VM", "running")]
            assert len(running) <= 1, f"two copies run: {here}"
            if running and sum(map(len, here.values())) == 1:
                self.where = running[0]
                assert self.age() is not None, f"the copy on {self.where} does not answer"
                return
            assert time.monotonic() < deadline, f"this does not end: {here}"
            time.sleep(LOOK_S)

    def await_at_most_one(self, for_s: float = CUT_S) -> None:
        """Never two, while nobody can reach whom it asks."""
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            here = {name: self.copies(name) for name in self.names}
            assert sum(copy == ("app VM", "running") for found in here.values() for copy in found) <= 1, here
            time.sleep(LOOK_S)

    def again(self) -> None:
        """A new pulse: the last one died with its cloud VM."""
        self.where = self.source.name
        assert not any(self.copies(name) for name in self.names)
        self.app_vm = self._pulse()

    def kill_cloud_vm(self, name: str) -> None:
        os.kill(int(self.lab.layout.file(f"{name}.pid").read_text()), signal.SIGKILL)

    def boot_cloud_vm(self, name: str) -> None:
        shape: CloudVMShape = next(shape for shape in self.lab.cloud_vms if shape.name == name)
        self.lab.layout.file(f"{name}.console.log").unlink(missing_ok=True)
        self.agents[name].end()
        machine.make_disk(self.lab, name)  # a new machine under the old name, as a cloud gives one
        machine.start(self.lab, shape)
        bringup.wait_ready(self.lab, lambda _: None, patience_s=BOOT_PATIENCE_S)
        self._furnish(name)
        self.start(name)

    def link(self, name: str, state: str) -> None:
        """The back network's wire of a cloud VM, in the lab's own namespace: up or down."""
        wire = f"{name}-back"
        subprocess.run(["ip", "-n", self.lab.layout.namespace, "link", "set", wire, state], check=True)

    def end(self) -> None:
        for agent in self.agents.values():
            agent.end()
        for name in self.names:
            with suppress(Exception):
                self.link(name, "up")
            reach.said(self.lab, name, "xl destroy moving 2>/dev/null; true", check=False)


LOOK = """
import json, sys, uuid
sys.path.append("/usr/lib/xen-4.17/lib/python")
from xen.lowlevel.xc import xc
def state(d):
    if d["shutdown"]:
        return "suspended" if d["shutdown_reason"] == 2 else "ended"
    return "paused" if d["paused"] else "running"
found = [d for d in xc().domain_getinfo(0, 4096) if d["domid"] and not d["dying"]]
print(json.dumps([(str(uuid.UUID(bytes=bytes(d["handle"]))), state(d)) for d in found]))
"""
