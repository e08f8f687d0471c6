"""A service's replicas behind one address: HAProxy, kept as observed through its runtime API, without a reload.

Level-triggered: `keep` is told what runs and makes HAProxy's list equal to it, whatever was there before and whoever restarted
in between. What is no longer wanted gets no new request, ends those it has, and is then taken out. Only entries that bear our
mark are touched, so that a backend may hold others. How HAProxy is started stands in haproxy_process.py.
"""

from __future__ import annotations

import csv
import io
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.errors import ActuationError

MARK = "fc."  # before an app VM's name: what we added, and may therefore take out
SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,200}")  # HAProxy's own rule for names; nothing that could end a command either
PATIENCE_S = 5.0
DRAIN_PATIENCE_S = 30.0  # the longest that requests under way hold up a stop
# A busy cloud VM may answer late, and one late replica is better than none. What is really gone the next observation leaves out.
CHECK = "check inter 1s rise 1 fall 15"
DRAINING, STOPPED = "DRAIN", "MAINT"


@dataclass(frozen=True, slots=True)
class Entry:
    """One replica as HAProxy has it. `status` in HAProxy's words: UP, DOWN, DRAIN, MAINT, perhaps with more behind."""

    app_vm: str
    address: str
    status: str
    requests: int


@dataclass(slots=True)
class HAProxy:
    """The HAProxy that listens for commands at `path` (admin level). `backends`: where a service's backend has another name."""

    path: Path
    backends: Mapping[str, str] = field(default_factory=dict)
    drain_patience_s: float = DRAIN_PATIENCE_S
    steady: Callable[[], float] = time.monotonic
    _services: set[str] = field(default_factory=set)
    _draining_since: dict[str, float] = field(default_factory=dict)

    def keep(self, replicas: Mapping[str, Mapping[str, str]]) -> None:
        """Make the list of every service equal to `replicas`: service -> app VM -> "address:port". Raises ActuationError.

        Call it only with a whole observation: what is left out is drained.
        """
        self._services |= set(replicas)
        for service, wanted in sorted(replicas.items()):
            held = {entry.app_vm: entry for entry in self.entries(service)}
            for app_vm, address in sorted(wanted.items()):
                self._want(service, app_vm, address, held.get(app_vm))
            for app_vm in sorted(held.keys() - wanted.keys()):
                self._unwant(service, held[app_vm])

    def drained(self, app_vm: str) -> bool:
        """Whether nothing is under way at `app_vm` and nothing new will come; also true when the patience for it is over."""
        found = [
            entry for service in sorted(self._services) for entry in self.entries(service) if entry.app_vm == app_vm
        ]
        closed = all(entry.status.startswith((DRAINING, STOPPED)) for entry in found)
        return closed and (self._late(app_vm) or all(entry.requests == 0 for entry in found))

    def entries(self, service: str) -> list[Entry]:
        """What HAProxy has for `service`, of ours."""
        backend = self._backend(service)
        said = self._say("show stat -1 6 -1")  # backends and their entries; a frontend may have the same name
        rows = [row for row in csv.DictReader(io.StringIO(said.removeprefix("# "))) if row["pxname"] == backend]
        if not rows:
            raise ActuationError(
                f"HAProxy at {self.path} has no backend {backend!r} for service {service!r}; add `backend {backend}` to its "
                "configuration, or name another one in load_balancer.haproxy.backends",
                temporary=False,
            )
        return [
            Entry(row["svname"].removeprefix(MARK), row["addr"], row["status"], int(row["scur"]) + int(row["qcur"]))
            for row in rows
            if row["svname"].startswith(MARK)
        ]

    def _want(self, service: str, app_vm: str, address: str, held: Entry | None) -> None:
        name = f"{self._backend(service)}/{_safe(MARK + app_vm)}"
        self._draining_since.pop(app_vm, None)
        if held is None:
            self._do(f"add server {name} {_safe(address)} {CHECK}", "New server registered")
            # Out of the rotation until its first check succeeds: it may still be booting.
            self._do(f"set server {name} health down; enable health {name}; enable server {name}")
            return
        if held.address != address:
            host, port = address.rsplit(":", 1)
            self._do(f"set server {name} addr {_safe(host)} port {_safe(port)}", "changed")
        if held.status.startswith((DRAINING, STOPPED)):
            self._do(f"set server {name} state ready")

    def _unwant(self, service: str, held: Entry) -> None:
        name = f"{self._backend(service)}/{_safe(MARK + held.app_vm)}"
        if held.app_vm not in self._draining_since:
            self._draining_since[held.app_vm] = self.steady()
        if not held.status.startswith((DRAINING, STOPPED)):
            self._do(f"set server {name} state drain")
        elif held.requests == 0 or self._late(held.app_vm):
            self._do(f"set server {name} state maint")
            if "Server deleted" in self._say(f"del server {name}"):  # else: idle connections to it; next time
                self._draining_since.pop(held.app_vm, None)

    def _late(self, app_vm: str) -> bool:
        since = self._draining_since.get(app_vm)
        return since is not None and self.steady() - since >= self.drain_patience_s

    def _backend(self, service: str) -> str:
        return _safe(self.backends.get(service, service))

    def _do(self, command: str, expected: str = "") -> None:
        """A command that says `expected`, or nothing where nothing is expected."""
        said = self._say(command).strip()
        if (expected and expected not in said) or (said and not expected):
            raise ActuationError(f"HAProxy refused `{command}`: {said or 'it said nothing'}", temporary=True)

    def _say(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE_S)
                connection.connect(str(self.path))
                connection.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
        except OSError as error:
            raise ActuationError(
                f"no HAProxy answers at {self.path} ({error}); is it running, with `stats socket {self.path} level admin`?",
                temporary=True,
            ) from error


def _safe(word: str) -> str:
    if not SAFE.fullmatch(word):
        raise ActuationError(
            f"{word!r} cannot stand in a command to HAProxy: letters, digits, and _ . : - only", temporary=False
        )
    return word
