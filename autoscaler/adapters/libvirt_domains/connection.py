"""One host's libvirt, in our words: the only module that imports libvirt. It decides nothing and remembers nothing.

A connection is made when it is first needed, and anew after it broke. Whatever libvirt says no to becomes an ActuationError:
temporary where the host cannot be asked, permanent where it refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.adapters.libvirt_domains.description import (
    SPEC_NOTE,
    STEPS_NOTE,
    Note,
    note_content,
    note_element,
    notes_text,
    read_notes,
    read_spec,
)
from autoscaler.agent.descriptions import AppVMSpec
from autoscaler.errors import ActuationError, UsageError

try:
    import libvirt  # noqa: TID251  the one module
except ImportError:  # the optional group `live` brings it
    libvirt = None

KEEP_ALIVE_S, KEEP_ALIVE_MISSED = 5, 3  # a host that is silent for so long is given up, and what waits for it ends
POOL = "flexcapsule-images"
CHUNK_BYTES = 1 << 18
NANOSECOND, MIB = 1e-9, 1 << 20
_events_once = threading.Lock()
_events_run = False


@dataclass(frozen=True, slots=True)
class Guest:
    """One app VM of ours as a host has it. `busy`: something long, such as a migration, is at work on it."""

    spec: AppVMSpec
    notes: tuple[Note, ...]
    paused: bool
    busy: bool
    cpu_s: float
    memory_used_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A host. `memory_bytes`: for app VMs in all; `free_bytes`: of these, promised to nobody."""

    cores: int
    memory_bytes: int
    free_bytes: int


class Connection:
    """Safe to use from several threads."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = threading.Lock()
        self._open: Any = None

    def facts(self) -> Facts:
        """On Xen what the hypervisor has left; elsewhere memory is the host's own, less what guests were promised."""
        with self._told() as host:
            _, memory_mib, cores, *_ = host.getInfo()
            promised = sum(guest.info()[1] << 10 for guest in host.listAllDomains() if guest.ID() != 0)
            if host.getType() == "Xen":
                free = host.getFreeMemory()
                return Facts(cores, free + promised, free)
            return Facts(cores, memory_mib << 20, max(0, (memory_mib << 20) - promised))

    def guests(self) -> list[Guest]:
        """Ours only; one that goes away meanwhile is left out."""
        with self._told() as host:
            return [found for guest in host.listAllDomains() if (found := _described(guest)) is not None]

    def find(self, uuid: str) -> Guest | None:
        with self._told() as host:
            guest = _lookup(host, uuid)
            return None if guest is None else _described(guest)

    def start(self, xml: str) -> None:
        with self._told() as host:
            host.createXML(xml, 0)

    def destroy(self, uuid: str) -> None:
        """Gone at once; nothing to do where it is gone already."""
        with self._told() as host:
            guest = _lookup(host, uuid)
            if guest is not None:
                guest.destroy()

    def ask_to_end(self, uuid: str) -> bool:
        """Whether it was asked: not every guest can be."""
        with self._told() as host:
            guest = _lookup(host, uuid)
            try:
                return guest is not None and guest.shutdown() == 0
            except libvirt.libvirtError:
                return False

    def pause(self, uuid: str) -> None:
        with self._told() as host:
            _needed(host, uuid).suspend()

    def resume(self, uuid: str) -> None:
        with self._told() as host:
            _needed(host, uuid).resume()

    def note(self, uuid: str, notes: tuple[Note, ...]) -> None:
        """Write down which steps changed it; with the guest this is durable, and travels."""
        with self._told() as host:
            kind, live = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
            _needed(host, uuid).setMetadata(kind, note_element(notes_text(notes)), "steps", STEPS_NOTE, live)

    def migrate(self, uuid: str, to: str, transfer: str, bandwidth_bytes_per_s: float) -> None:
        """Live; returns when it is over. The source's libvirt leads it, so that it goes on when we die."""
        parameters: dict[str, Any] = {}
        if transfer:
            parameters[libvirt.VIR_MIGRATE_PARAM_URI] = transfer
        if bandwidth_bytes_per_s:
            parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = max(1, round(bandwidth_bytes_per_s / MIB))  # its unit
        with self._told() as host:
            flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
            _needed(host, uuid).migrateToURI3(to, parameters, flags)

    def limit_downtime(self, uuid: str, downtime_s: float) -> bool:
        """Of a migration under way; False where there is none (yet), or the driver knows no such limit."""
        with self._told() as host:
            try:
                return bool(_needed(host, uuid).migrateSetMaxDowntime(round(downtime_s * 1000), 0) == 0)
            except libvirt.libvirtError:
                return False

    def arrival(self, uuid: str) -> Mapping[str, float]:
        """`downtime_s` and `sent_bytes` of the migration that brought it here, where the driver counts them."""
        with self._told() as host:
            try:
                said = _needed(host, uuid).jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
            except libvirt.libvirtError:
                return {}
        return {"downtime_s": said.get("downtime", 0) / 1000.0, "sent_bytes": float(said.get("data_processed", 0))}

    def has_file(self, directory: str, name: str) -> bool:
        """True as well where the host's libvirt has no storage driver: then its operator puts files there."""
        pool = self._pool(directory)
        if pool is None:
            return True
        with self._told():
            pool.refresh()
            return name in pool.listVolumes()

    def put_file(self, directory: str, name: str, path: Path) -> None:
        """Sent under another name and renamed by being cloned: half a file is never taken for the whole."""
        pool, part = self._pool(directory), f"{name}.part"
        assert pool is not None, "asked only where has_file said no"
        with self._told() as host, path.open("rb") as content:
            with suppress(libvirt.libvirtError):
                pool.storageVolLookupByName(part).delete(0)
            size = path.stat().st_size
            sent = pool.createXML(_volume_xml(part, size), 0)
            stream = host.newStream(0)
            sent.upload(stream, 0, size, 0)
            stream.sendAll(lambda _stream, _size, file: file.read(CHUNK_BYTES), content)
            stream.finish()
            pool.createXMLFrom(_volume_xml(name, size), sent, 0)
            sent.delete(0)

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                with suppress(libvirt.libvirtError):
                    self._open.close()
            self._open = None

    def _pool(self, directory: str) -> Any:
        """The host's directory of images as a storage pool; None where its libvirt has no storage."""
        with self._told() as host:
            try:
                return host.storagePoolLookupByName(POOL)
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
                    return None
            xml = f"<pool type='dir'><name>{POOL}</name><target><path>{directory}</path></target></pool>"
            return host.storagePoolCreateXML(xml, libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """The open connection; what libvirt says becomes an error of ours."""
        _require()
        try:
            yield self._opened()
        except libvirt.libvirtError as error:
            broken = self._open is None or not self._open.isAlive()
            if broken:
                self.close()
            raise ActuationError(f"libvirt at {self.uri}: {error.get_error_message()}", temporary=broken) from None

    def _opened(self) -> Any:
        with self._lock:
            if self._open is None or not self._open.isAlive():
                self._open = None
                self._open = libvirt.open(self.uri)
                with suppress(libvirt.libvirtError):  # a hypervisor in this process has no line to keep alive
                    self._open.setKeepAlive(KEEP_ALIVE_S, KEEP_ALIVE_MISSED)
            return self._open


def _described(guest: Any) -> Guest | None:
    try:
        spec = read_spec(_note(guest, SPEC_NOTE))
        if spec is None:
            return None
        state, _, memory_kib, _, cpu_ns = guest.info()
        if state in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED):
            return None
        return Guest(
            spec,
            read_notes(_note(guest, STEPS_NOTE)),
            paused=state == libvirt.VIR_DOMAIN_PAUSED,
            busy=_tried(guest.jobInfo, [0])[0] != libvirt.VIR_DOMAIN_JOB_NONE,
            cpu_s=cpu_ns * NANOSECOND,
            memory_used_bytes=_memory_used(guest, memory_kib << 10),
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _memory_used(guest: Any, allocated: int) -> int:
    """What the guest's balloon says, else what the host has given it so far, else all of its allocation."""
    said = _tried(guest.memoryStats, {})
    if "unused" in said and "available" in said:
        return int(max(0, said["available"] - said["unused"])) << 10
    return min(int(said["rss"]) << 10, allocated) if "rss" in said else allocated


def _tried(question: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return question()
    except libvirt.libvirtError:
        return otherwise


def _note(guest: Any, uri: str) -> str:
    try:
        return note_content(guest.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, uri, 0))
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_SUPPORT):
            return ""
        raise


def _lookup(host: Any, uuid: str) -> Any:
    try:
        return host.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _needed(host: Any, uuid: str) -> Any:
    return host.lookupByUUIDString(uuid)


def _volume_xml(name: str, size: int) -> str:
    return f"<volume><name>{name}</name><capacity>{size}</capacity><target><format type='raw'/></target></volume>"


def _require() -> None:
    """Libvirt's library, quiet, with the thread that keeps connections alive."""
    global _events_run  # noqa: PLW0603  the library has one loop for the whole process
    if libvirt is None:
        raise UsageError("libvirt's Python library is not installed: `make venv`, or pip install 'flexcapsule[live]'")
    with _events_once:
        if not _events_run:
            libvirt.registerErrorHandler(lambda *_said: None, None)
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()
            _events_run = True


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
