"""Xen, through its own toolstack: the one module that runs `xl` and calls libxc (docs/decisions/0090). Vendor's words stay here.

`xl` does what takes many parts (building, tearing down, saving); libxc what is one hypercall (looking, pausing). libvirt does not
come in: app VMs that it made and those that the toolstack moved would not know of each other.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import math
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from autoscaler.agent.descriptions import AppVMSpec
from autoscaler.agent.hypervisor import Files, Halt, Observation, Sighting
from autoscaler.agent.store import sync_directory
from autoscaler.agent.xenstore import XenStore
from autoscaler.errors import ActuationError, UsageError

CONSOLE_DIRECTORY = Path("/var/log/xen")  # xenconsoled's --log-dir
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
COMMAND_LINE_MOST = 1023  # MAX_GUEST_CMDLINE of Xen's interface, without the final zero
DOMAINS_MOST = 1024  # more than a cloud VM has memory for
WEIGHT_PER_CORE = 256  # the scheduler's default weight: one core's worth
PATIENCE_S = 180.0  # of one xl command: under emulation the slowest seen took 6 s
SETTLE_POLL_S = 0.05
PUBLISHED = ("used-bytes", "received-bytes", "sent-bytes", "moves", "load", "exit-status")
HALTS = {
    0: Halt.POWEROFF,
    1: Halt.REBOOT,
    2: Halt.SUSPEND,
    3: Halt.CRASH,
    4: Halt.WATCHDOG,
}  # SHUTDOWN_* of Xen's sched.h
MAC_PREFIX = "00:16:3e"  # Xen's own


def libxc() -> Any:
    """The module xen.lowlevel.xc; Debian puts it where only Xen's own programs look."""
    sys.path += [str(path) for path in sorted(Path("/usr/lib").glob("xen-*/lib/python"))]
    from xen.lowlevel import xc

    return xc


class Xen:
    """`directory` is for what need not outlive a boot: locks and xl's config files."""

    def __init__(self, directory: Path, store: XenStore) -> None:
        binding = libxc()
        self._directory, self._store, self._xc = directory, store, binding.xc()
        self._refused = (OSError, binding.Error)
        self._boot_id = BOOT_ID.read_text().strip()
        self._log_dirty: bool | None = None
        self._listed_before: set[int] = set()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def observe(self) -> Observation:
        try:
            domains, host = self._listed(), self._xc.physinfo()
        except self._refused as error:
            raise ActuationError(f"the hypervisor does not answer: {error}", temporary=True) from error
        sightings = [_sighting(each) for each in domains if each["domid"] != 0 and any(each["handle"])]
        free_bytes = host["free_memory"] << 10
        return Observation(
            cores=host["nr_cpus"],
            memory_bytes=free_bytes + sum(seen.memory_bytes for seen in sightings),
            free_bytes=free_bytes,
            boot_id=self._boot_id,
            can_log_dirty=self._can_log_dirty(),
            sightings={seen.uuid: seen for seen in sightings if not seen.dying},
        )

    def _listed(self) -> list[dict[str, Any]]:
        """All of them, or an error: libxc takes a call that failed half-way for the list's end."""
        domains: list[dict[str, Any]] = self._xc.domain_getinfo(0, DOMAINS_MOST)
        listed = {each["domid"] for each in domains}
        for missed in sorted(self._listed_before - listed):
            if self._is_there(missed):
                raise ActuationError(f"the hypervisor's list is not whole: {missed} is missing", temporary=True)
        self._listed_before = listed
        return domains

    def _is_there(self, handle: int) -> bool:
        try:
            return any(each["domid"] == handle for each in self._xc.domain_getinfo(handle, 1))
        except self._refused as error:
            if error.args[:1] == (errno.ESRCH,):  # neither it nor one behind it
                return False
            raise

    def published(self, handles: Sequence[int]) -> Mapping[int, Mapping[str, str]]:
        paths = [f"/local/domain/{handle}/data/flexcapsule/{name}" for handle in handles for name in PUBLISHED]
        found = iter(self._store.read(paths))
        said = {handle: {name: next(found) for name in PUBLISHED} for handle in handles}
        return {
            handle: {name: text for name, text in each.items() if text is not None}
            for handle, each in said.items()
            if any(text is not None for text in each.values())
        }

    async def settled(self, uuid: str) -> None:
        """An xl that outlived its agent holds the lock; one that was killed may have left a guest suspended."""
        for _ in range(int(PATIENCE_S / SETTLE_POLL_S)):
            with self._lock(uuid) as file, suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(SETTLE_POLL_S)
        else:
            raise ActuationError(f"an xl of an earlier agent is still at work on {uuid}", temporary=True)
        seen = self.observe().sightings.get(uuid)
        if seen and seen.halt is Halt.SUSPEND:
            self._call("resume", seen, 1)
            self._store.resume(seen.handle)

    async def create(self, spec: AppVMSpec, files: Files) -> None:
        config = self._directory / f"{spec.uuid}.cfg"
        config.write_text(configuration(spec, files))
        try:
            await self._xl(
                spec.uuid, "create", "-e", "-p", "-q", str(config)
            )  # -e: no xl stays behind to act on its own
        finally:
            config.unlink(missing_ok=True)

    async def unpause(self, seen: Sighting) -> None:
        """Xen counts pauses, and refuses to let go one that is not paused."""
        if (now := self.observe().sightings.get(seen.uuid)) is not None and now.paused:
            self._call("unpause", now)

    async def pause(self, seen: Sighting) -> None:
        if (now := self.observe().sightings.get(seen.uuid)) is not None and not now.paused:
            self._call("pause", now)

    async def ask_to_stop(self, seen: Sighting) -> None:
        self._store.write(f"/local/domain/{seen.handle}/control/shutdown", "poweroff")

    async def destroy(self, seen: Sighting) -> None:
        try:
            await self._xl(seen.uuid, "destroy", str(seen.handle))
        except ActuationError:
            if seen.uuid in self.observe().sightings:
                raise

    async def save(self, seen: Sighting, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        await self._xl(seen.uuid, "save", "-p", str(seen.handle), str(part))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_directory(path.parent)

    async def restore(self, spec: AppVMSpec, path: Path) -> None:
        await self._xl(spec.uuid, "restore", "-e", "-p", str(path))

    def console(self, name: str) -> Sequence[Path]:
        return [CONSOLE_DIRECTORY / f"guest-{name}.log"]

    def written(self) -> Sequence[Path]:
        return sorted(CONSOLE_DIRECTORY.glob("*.log"))  # the hypervisor's own is one of them

    def type_to(self, seen: Sighting, typed: bytes) -> None:
        (tty,) = self._store.read([f"/local/domain/{seen.handle}/console/tty"])
        if not tty:
            raise ActuationError("its console is not ready", temporary=True)
        descriptor = os.open(tty, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            os.write(descriptor, typed)
        except BlockingIOError:
            raise ActuationError("it does not read what is typed", temporary=True) from None
        finally:
            os.close(descriptor)

    def _call(self, verb: str, seen: Sighting, *more: int) -> None:
        try:
            getattr(self._xc, f"domain_{verb}")(seen.handle, *more)
        except self._refused as error:
            raise ActuationError(f"the hypervisor refuses to {verb} {seen.uuid}: {error}", temporary=False) from error

    def _can_log_dirty(self) -> bool:
        """Whether this hypervisor was built with shadow paging: it says so in its own capabilities."""
        if self._log_dirty is None:
            said = os.popen("xl info virt_caps 2>/dev/null").read()  # noqa: S605, S607  once; the binding hides this one
            self._log_dirty = "shadow" in said
        return self._log_dirty

    def _lock(self, uuid: str) -> Any:
        return (self._directory / f"{uuid}.lock").open("w")

    async def _xl(self, uuid: str, *words: str) -> None:
        """Run xl to its end. It holds this app VM's lock as long as it lives, however long we do."""
        with self._lock(uuid) as file:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            running = await asyncio.create_subprocess_exec(
                "xl", *words, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=STDOUT, pass_fds=[file.fileno()],
                start_new_session=True,
            )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(running.communicate(), PATIENCE_S)
        except TimeoutError:
            raise ActuationError(f"xl {words[0]} did not end within {PATIENCE_S:g} s", temporary=True) from None
        if running.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines()
            why = "; ".join(line.strip() for line in lines[:3]) or f"status {running.returncode}"
            raise ActuationError(f"xl {words[0]} failed: {why}", temporary=False)


def _sighting(domain: Mapping[str, Any]) -> Sighting:
    halted = bool(domain["shutdown"] or domain["crashed"])
    return Sighting(
        uuid=str(UUID(bytes=bytes(domain["handle"]))),
        handle=domain["domid"],
        paused=bool(domain["paused"]),
        halt=HALTS.get(domain["shutdown_reason"], Halt.CRASH) if halted else Halt.NONE,
        dying=bool(domain["dying"]),
        cpu_s=domain["cpu_time"] / 1e9,
        memory_bytes=domain["mem_kb"] << 10,
    )


def configuration(spec: AppVMSpec, files: Files) -> str:
    """What `xl create` reads. Raises UsageError where the library OS could not be told all of it."""
    lines = {
        "name": _quoted(spec.name),
        "uuid": _quoted(spec.uuid),
        "type": '"pv"',
        "kernel": _quoted(str(files.image)),
        "memory": str(
            -(-spec.memory_bytes >> 20) if spec.memory_bytes % (1 << 20) == 0 else (spec.memory_bytes >> 20) + 1
        ),
        "vcpus": str(math.ceil(spec.cores)),
        "cpu_weight": str(max(1, round(WEIGHT_PER_CORE * spec.cores))),
        "extra": _quoted(command_line(spec)),
        "vif": f"[{_quoted(f'mac={mac(spec.uuid)},bridge=xenbr0,script=vif-fast')}]",
        "on_poweroff": '"preserve"',
        "on_reboot": '"preserve"',
        "on_crash": '"preserve"',
    }
    if files.files:
        lines["ramdisk"] = _quoted(str(files.files))
    if files.disk:
        lines["disk"] = f"[{_quoted(f'format=raw,vdev=xvda,access=rw,target={files.disk}')}]"
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def command_line(spec: AppVMSpec) -> str:
    """Settings, environment, `--`, arguments: as libos/lib/cmdline.c reads them."""
    words = [f"ip={spec.address or 'dhcp'}"]
    words += [f"gateway={spec.gateway}"] if spec.gateway else []
    words += [_word(f"{name}={value}") for name, value in sorted(spec.environment.items())]
    words += ["--", *map(_word, spec.arguments)]
    line = " ".join(words)
    if len(line) > COMMAND_LINE_MOST:
        raise UsageError(
            f"environment and arguments of {spec.name} make {len(line)} characters; "
            f"Xen passes on {COMMAND_LINE_MOST}: put them into a file"
        )
    return line


def mac(uuid: str) -> str:
    """The same wherever it runs, so that a move is not a new station to those it talks to."""
    tail = UUID(uuid).bytes[-3:]
    return ":".join([MAC_PREFIX, *(f"{byte:02x}" for byte in tail)])


def _word(text: str) -> str:
    return f'"{text}"' if not text or " " in text else text


def _quoted(text: str) -> str:
    """A string of xl's config language; whatever might end it early is written as a number."""
    plain = "-_./=:, "
    return '"' + "".join(c if (c.isascii() and c.isalnum()) or c in plain else f"\\x{ord(c):02x}" for c in text) + '"'
