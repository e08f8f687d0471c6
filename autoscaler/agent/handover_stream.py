"""Xen's own processes that write a domain into a stream and read it back: libxl-save-helper, as libxl runs it, without libxl.

Separate because it is another program's protocol (tools/libs/light/libxl_save_helper.c and libxl_save_msgs_gen.pl of Xen 4.17):
length-prefixed messages on its standard output, answers on its input, the pages on a descriptor of their own. It moves bytes
and never resumes, starts or destroys a domain; it dies with the agent, so that after a restart nobody else is at work.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import struct
import termios
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from autoscaler.agent.handover_halves import Berth
from autoscaler.errors import ActuationError

HELPER = "/usr/lib/xen-4.17/bin/libxl-save-helper"
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
PIPE_BYTES = 1 << 20
STRETCH_BYTES = 1 << 18
LOG, PROGRESS, SUSPEND, RESULTS, COMPLETE = 1, 2, 3, 9, 10  # ordinals of @msgs in libxl_save_msgs_gen.pl
LOG_ERROR = 6  # XTL_ERROR of xentoollog.h, and above
LIVE = 1  # XCFLAGS_LIVE of xenguest.h
SUSPENDED, DONE = struct.pack("=i", 1), struct.pack("=i", 0)
GIVE_UP_S = 5.0
DRAIN_POLL_S = 0.005


class HelperProcess:
    """One run of the helper. `store_ring`, `console_ring`: frames that a restore reports."""

    def __init__(self, process: asyncio.subprocess.Process, on_suspend: Callable[[], Awaitable[None]] | None) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._out, self._in, self._process = process.stdout, process.stdin, process
        self._on_suspend = on_suspend
        self._errors: list[str] = []
        self._complete, self.over = False, asyncio.Event()
        self.store_ring = self.console_ring = 0

    async def attend(self) -> None:
        """Answer it until it has finished. Raises ActuationError with its words where it failed. Afterwards it is `over`."""
        try:
            await self._attend()
        finally:
            self.over.set()

    async def _attend(self) -> None:
        while True:
            try:
                size = struct.unpack("=H", await self._out.readexactly(2))[0]
                message = await self._out.readexactly(size)
            except asyncio.IncompleteReadError:
                raise ActuationError(f"{self._words()}: it ended early", temporary=True) from None
            kind = struct.unpack_from("=H", message)[0]
            if kind == COMPLETE:
                self._end(*struct.unpack_from("=ii", message, 2))
                return
            await self._take(kind, message)

    async def _take(self, kind: int, message: bytes) -> None:
        if kind == LOG:
            self._log(message)
        elif kind == SUSPEND and self._on_suspend:
            await self._on_suspend()
            self._in.write(SUSPENDED)
        elif kind == RESULTS:
            self.store_ring, self.console_ring = struct.unpack_from("=QQ", message, 2)
        elif kind != PROGRESS:
            raise ActuationError(f"the save helper says something unknown ({kind}): is it Xen 4.17's?", temporary=False)

    def _end(self, result: int, error: int) -> None:
        self._complete = True
        if result != 0:
            raise ActuationError(f"{self._words()}: {os.strerror(error) if error else result}", temporary=True)

    def dismiss(self) -> None:
        """It may end now. Until then one that has finished waits: ending takes time from whoever has to be quick."""
        if self._complete and not self._in.is_closing():
            self._in.write(DONE)

    def _log(self, message: bytes) -> None:
        level, _ = struct.unpack_from("=II", message, 2)
        if level >= LOG_ERROR:
            texts = _strings(message[10:])
            self._errors.append(texts[-1] if texts else "")

    def _words(self) -> str:
        return "; ".join(["the hypervisor's save or restore failed", *self._errors[-3:]])


class Outflow:
    """What a helper writes, to its end: which is when it says that it has finished, not when it lets go of the pipe."""

    def __init__(self, descriptor: int, over: asyncio.Event) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self._over = descriptor, over
        self._idle, self._ended = asyncio.Event(), False  # idle: the reader waits for more

    async def read(self, most_bytes: int) -> bytes:
        """Some of it, as soon as there is some; b"" at the end."""
        while True:
            over = self._over.is_set()
            self._idle.clear()
            with suppress(BlockingIOError):
                found = os.read(self._descriptor, most_bytes)
                self._ended = not found
                return found
            if over:
                self._ended = True
                return b""
            self._idle.set()
            await self._something()

    async def drained(self) -> None:
        """Returns when all that was written so far has been read, and what was read been dealt with: its reader waits again.
        Raises ActuationError where there will be no more."""
        while not self._idle.is_set() or _unread_bytes(self._descriptor):
            if self._ended:
                raise ActuationError("the hypervisor's save ended in the middle", temporary=True)
            await asyncio.sleep(DRAIN_POLL_S)

    async def _something(self) -> None:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, came.set)
        try:
            await _either(came, self._over)
        finally:
            loop.remove_reader(self._descriptor)


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    """One of both has come."""
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class Inflow:
    """Where to write what a helper is to read, until it is `over`: one that has failed keeps its end open, and reads no more."""

    def __init__(self, descriptor: int, over: asyncio.Event) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self._over = descriptor, over

    async def write(self, stretch: bytes) -> None:
        """Returns when the pipe has all of it. Raises BrokenPipeError where nobody reads any more."""
        loop, rest = asyncio.get_running_loop(), memoryview(stretch)
        while rest:
            self._check()
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                room = asyncio.Event()
                loop.add_writer(self._descriptor, room.set)
                try:
                    await _either(room, self._over)
                finally:
                    loop.remove_writer(self._descriptor)

    async def drained(self) -> None:
        """Returns when the helper has read all that was written. Raises BrokenPipeError where nobody reads any more."""
        self._check()
        while _unread_bytes(self._descriptor):
            await asyncio.sleep(DRAIN_POLL_S)
            self._check()

    def _check(self) -> None:
        reader = select.poll()
        reader.register(self._descriptor, 0)  # that it is gone is told without being asked for
        if self._over.is_set() or reader.poll(0):
            raise BrokenPipeError("the restoring helper reads no more")


def _unread_bytes(pipe: int) -> int:
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _strings(rest: bytes) -> list[str]:
    found = []
    while len(rest) >= 4:
        size = struct.unpack_from("=I", rest)[0]
        found.append(rest[4 : 4 + size].rstrip(b"\0").decode(errors="replace"))
        rest = rest[4 + size :]
    return found


@asynccontextmanager
async def saving(
    domid: int, *, live: bool, on_suspend: Callable[[], Awaitable[None]]
) -> AsyncIterator[tuple[HelperProcess, Outflow]]:
    """The helper that saves `domid`, and what it writes."""
    inlet, outlet = _pipe()
    try:
        words = [str(outlet), "-1", str(domid), str(LIVE if live else 0), str(1 << SUSPEND), "0"]
        process = await _run("--save-domain", words, outlet)
    except BaseException:
        os.close(inlet)
        raise
    finally:
        os.close(outlet)
    async with _ended(process):
        helper = HelperProcess(process, on_suspend)
        try:
            yield helper, Outflow(inlet, helper.over)
        finally:
            helper.dismiss()
            os.close(inlet)  # a helper that still writes fails, and cleans up behind itself


@asynccontextmanager
async def restoring(berth: Berth) -> AsyncIterator[tuple[HelperProcess, Inflow]]:
    """The helper that fills `berth`, and where to write what comes."""
    inlet, outlet = _pipe()
    try:
        ports = [str(berth.store_port), "0", str(berth.console_port), "0"]
        process = await _run("--restore-domain", [str(inlet), "-1", str(berth.domid), *ports, "0", "0"], inlet)
    except BaseException:
        os.close(outlet)
        raise
    finally:
        os.close(inlet)
    async with _ended(process):
        helper = HelperProcess(process, None)
        try:
            yield helper, Inflow(outlet, helper.over)
        finally:
            helper.dismiss()
            os.close(outlet)


async def _run(mode: str, words: list[str], descriptor: int) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *DIES_WITH_US, HELPER, mode, *words, stdin=pipe, stdout=pipe, pass_fds=[descriptor], limit=1 << 17
    )


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Once this is left the helper has ended, by itself or not: nobody works on the domain any more."""
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()  # where it waits for an answer, it gives up
        try:
            await asyncio.wait_for(process.wait(), GIVE_UP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _pipe() -> tuple[int, int]:
    inlet, outlet = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(outlet, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return inlet, outlet
