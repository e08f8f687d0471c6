"""The hypervisor's part of a handover: make, suspend, resume, start and destroy a half, each one call that does one thing.

Separate because it alone touches domains in a handover, and on nobody's initiative but the caller's: unlike xl, nothing here
resumes or destroys because something else failed (docs/decisions/0091). Through Xen's own Python binding and XenStore. Whose turn it is, is decided in handover_rules.py.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autoscaler.agent import handover_tree as tree
from autoscaler.agent.handover_channels import SuspendChannels
from autoscaler.agent.handover_passenger import Passenger
from autoscaler.agent.handover_records import Record
from autoscaler.agent.handover_rules import Half
from autoscaler.agent.handover_store import Store
from autoscaler.errors import ActuationError

BINDING = "/usr/lib/xen-4.17/lib/python"  # Debian keeps Xen's Python modules beside its programs
SHUTDOWN_SUSPEND = 2  # xen/include/public/sched.h
SHADOW_OFF = 0  # xen/include/public/domctl.h, XEN_DOMCTL_SHADOW_OP_OFF
SUSPEND_PATIENCE_S = 15.0
DOMAINS_MOST = 32768  # domain ids have 15 bits
POLL_S = 0.02  # where the hypervisor does not say by itself that a domain has suspended
INTERFACE_PATIENCE_S = 10.0
CONNECT_PATIENCE_S, CONNECT_POLL_S = 1.0, 0.03  # each look takes a millisecond from the guest
CONTEXT_KIB = 2048  # per domain, beside its pages: its structures, page-table slack, grant and event pages


@dataclass(frozen=True, slots=True)
class Berth:
    """A half made ready to be filled: the domain, and the ports its rings will have."""

    domid: int
    store_port: int
    console_port: int


class Halves(Protocol):
    """What handovers need of a hypervisor: the real one below, and one in memory for the tests."""

    def look(self, record: Record) -> tuple[Half, int]: ...
    def domid_of(self, app_vm: str) -> int: ...
    def describe(self, domid: int, app_vm: str) -> Passenger: ...
    async def make(self, passenger: Passenger, handle: str) -> Berth: ...
    def introduce(self, berth: Berth, store_ring: int) -> None: ...
    def complete(self, domid: int, store_ring: int, console_ring: int) -> None: ...
    def start(self, domid: int, app_vm: str) -> None: ...
    async def connected(self, domid: int, passenger: Passenger) -> None: ...
    def arm(self, domid: int) -> None: ...
    async def suspend(self, domid: int) -> None: ...
    def resume(self, domid: int) -> None: ...
    def let_be(self, domid: int) -> None: ...
    def destroy(self, domid: int, app_vm: str) -> None: ...


class XenHalves:
    """The halves on this cloud VM's Xen."""

    def __init__(self) -> None:
        if BINDING not in sys.path:
            sys.path.append(BINDING)
        self._xc: Any = importlib.import_module("xen.lowlevel.xc").xc()
        self._error: Any = importlib.import_module("xen.lowlevel.xc").Error
        self._store = Store()
        self._channels = SuspendChannels()

    def look(self, record: Record) -> tuple[Half, int]:
        """A record's half and its domain id: by that id once it is known, before by the handle that is the handover's own."""
        for found in self._domains():
            handle = str(uuid.UUID(bytes=bytes(found["handle"])))
            known = found["domid"] == record.domid and handle in (record.id, record.app_vm)
            if known or (not record.domid and handle == record.id):
                return _state(found), found["domid"]
        return Half.ABSENT, 0

    def domid_of(self, app_vm: str) -> int:
        """Raises ActuationError where no such app VM runs."""
        for found in self._domains():
            if str(uuid.UUID(bytes=bytes(found["handle"]))) == app_vm and not found["dying"]:
                return int(found["domid"])
        raise ActuationError(f"no app VM {app_vm} is here", temporary=False)

    def _domains(self) -> list[dict[str, Any]]:
        return [found for found in self._xc.domain_getinfo(0, DOMAINS_MOST) if found["domid"] != 0]

    def _domain(self, domid: int) -> dict[str, Any]:
        try:
            found = self._xc.domain_getinfo(domid, 1)
        except self._error:  # none of that number, and none above it
            found = []
        if not found or found[0]["domid"] != domid:
            raise ActuationError(f"domain {domid} is gone", temporary=False)
        known: dict[str, Any] = found[0]
        return known

    def describe(self, domid: int, app_vm: str) -> Passenger:
        found, home = self._domain(domid), tree.home(domid)
        text = tree.read_userdata(domid, app_vm)
        scheduling = json.loads(text).get("b_info", {}).get("sched_params", {}) if text else {}
        return Passenger(
            app_vm=app_vm,
            name=self._store.read(f"{home}/name"),
            most_kib=found["maxmem_kb"],
            static_kib=int(self._store.read(f"{home}/memory/static-max") or found["maxmem_kb"]),
            target_kib=int(self._store.read(f"{home}/memory/target") or found["mem_kb"]),
            cores=found["max_vcpu_id"] + 1,
            weight=int(scheduling.get("weight", 256)),
            cap=int(scheduling.get("cap", 0)),
            used_bytes=int(self._store.read(f"{home}/data/flexcapsule/used-bytes") or found["mem_kb"] * 1024),
            vifs=tree.read_vifs(self._store, domid),
            toolstack=text,
        )

    async def make(self, passenger: Passenger, handle: str) -> Berth:
        """A domain without a page, bearing `handle`, with all its devices in place. Raises ActuationError."""
        free_kib = self._xc.physinfo()["free_memory"]
        if free_kib < passenger.most_kib + CONTEXT_KIB:
            raise ActuationError(
                f"{free_kib >> 10} MiB are free; {passenger.name} needs {passenger.most_kib >> 10} MiB", temporary=True
            )
        for vif in passenger.vifs:
            if not _is_there(f"{vif.bridge}/bridge"):
                raise ActuationError(f"there is no bridge {vif.bridge} here", temporary=False)
        domid = self._create(passenger, handle)
        try:
            berth = Berth(domid, self._port(domid), self._port(domid))
            tree.make(self._store, domid, passenger, store_port=berth.store_port, console_port=berth.console_port)
            for vif in passenger.vifs:
                await _plug(f"vif{domid}.{vif.devid}", vif.bridge)
                self._store.write(f"{tree.backend(domid, vif)}/hotplug-status", "connected")
        except BaseException:
            self.destroy(domid, passenger.app_vm)
            raise
        return berth

    def _create(self, passenger: Passenger, handle: str) -> int:
        try:
            domid = int(self._xc.domain_create(handle=_bytes(handle), flags=0, max_vcpus=passenger.cores))
        except self._error as error:
            raise ActuationError(f"the hypervisor makes no domain: {error}", temporary=True) from error
        self._xc.domain_max_vcpus(domid, passenger.cores)
        self._xc.domain_setmaxmem(domid, passenger.most_kib)
        self._xc.domain_set_memmap_limit(domid, passenger.static_kib)
        if passenger.weight != 256 or passenger.cap:
            self._xc.sched_credit2_domain_set(domid=domid, weight=passenger.weight, cap=passenger.cap)
        return domid

    def _port(self, domid: int) -> int:
        return int(self._xc.evtchn_alloc_unbound(domid, 0))

    def introduce(self, berth: Berth, store_ring: int) -> None:
        """From here on xenstored serves the guest: all that it needs before it may run."""
        self._store.introduce(berth.domid, store_ring, berth.store_port)

    def complete(self, domid: int, store_ring: int, console_ring: int) -> None:
        tree.complete(self._store, domid, store_ring=store_ring, console_ring=console_ring)

    def start(self, domid: int, app_vm: str) -> None:
        self._xc.domain_sethandle(domid, _bytes(app_vm))
        self._xc.domain_unpause(domid)

    async def connected(self, domid: int, passenger: Passenger) -> None:
        """Leave the machine to the guest until it was heard on its network, or it does not want it: what is left here can wait.

        Seen by the interface's counters, since a question to xenstored would delay the guest's own.
        """
        deadline = time.monotonic() + CONNECT_PATIENCE_S
        waited = [f"vif{domid}.{vif.devid}" for vif in passenger.vifs]
        while time.monotonic() < deadline:
            if all(map(_was_heard, waited)):
                return
            await asyncio.sleep(CONNECT_POLL_S)

    def arm(self, domid: int) -> None:
        """Find the guest's suspend channel before it is needed: looking takes longer than the guest needs to stop."""
        if port := self._store.read(f"{tree.home(domid)}/device/suspend/event-channel"):
            self._channels.bind(domid, int(port))

    async def suspend(self, domid: int) -> None:
        """Ask the guest to stop itself, and wait until it has. Raises ActuationError where it does not."""
        if not self._channels.ring(domid):
            self._store.write(f"{tree.home(domid)}/control/shutdown", "suspend")
        deadline = time.monotonic() + SUSPEND_PATIENCE_S
        while (state := _state(self._domain(domid))) is not Half.SUSPENDED:
            if state is Half.ENDED:
                raise ActuationError("it ended before it could be moved", temporary=False)
            if time.monotonic() > deadline:
                raise ActuationError(f"it did not suspend within {SUSPEND_PATIENCE_S:g} s", temporary=True)
            await self._channels.heard(POLL_S)

    def let_be(self, domid: int) -> None:
        """Take back what a broken transfer left on a running guest: the wish to suspend, and the noting of dirty pages.

        Should the guest have read the wish already, the rules resume it when they see it suspended.
        """
        self._channels.unbind(domid)
        path = f"{tree.home(domid)}/control/shutdown"
        if self._store.read(path) == "suspend":
            self._store.write(path, "")
        with suppress(self._error):  # it was off
            self._xc.shadow_control(domid, SHADOW_OFF)

    def resume(self, domid: int) -> None:
        """Go on where it stopped, in the same domain: its suspend returns "cancelled"."""
        self._xc.domain_resume(domid, 1)
        self._store.resumed(domid)

    def destroy(self, domid: int, app_vm: str) -> None:
        """Idempotent, and safe on a half that was never finished."""
        self._channels.unbind(domid)
        try:
            self._xc.domain_destroy(domid)
        except self._error as error:
            if any(found["domid"] == domid for found in self._domains()):
                raise ActuationError(f"domain {domid} cannot be destroyed: {error}", temporary=True) from error
        tree.remove(self._store, domid, app_vm)
        self._store.release(domid)


def _state(found: dict[str, Any]) -> Half:
    if found["dying"]:
        return Half.ABSENT
    if found["shutdown"]:
        return Half.SUSPENDED if found["shutdown_reason"] == SHUTDOWN_SUSPEND else Half.ENDED
    return Half.PAUSED if found["paused"] else Half.RUNNING


def _bytes(text: str) -> list[int]:
    return list(uuid.UUID(text).bytes)


def _is_there(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


def _was_heard(interface: str) -> bool:
    try:
        return int(Path("/sys/class/net", interface, "statistics/rx_packets").read_text()) > 0
    except OSError:
        return False


async def _plug(interface: str, bridge: str) -> None:
    """What a hotplug script does, without a shell: the interface appears when the kernel has seen its node."""
    deadline = time.monotonic() + INTERFACE_PATIENCE_S
    while not _is_there(interface):
        if time.monotonic() > deadline:
            raise ActuationError(f"{interface} did not appear: is xen-netback loaded?", temporary=True)
        await asyncio.sleep(0.01)
    process = await asyncio.create_subprocess_exec("ip", "link", "set", interface, "master", bridge, "up")
    if await process.wait() != 0:
        raise ActuationError(f"{interface} cannot be put on {bridge}", temporary=True)
