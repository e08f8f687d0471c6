"""XenStore, through pyxs: the one module that speaks to it. What the keys mean is xen.py's business.

Reads go out together and come back together: one by one, each costs a change of thread there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock, Thread

import pyxs  # noqa: TID251  its home
from pyxs._internal import NUL, Op, Packet, next_rq_id  # noqa: TID251

from autoscaler.errors import ActuationError

SOCKET = Path("/run/xenstored/socket")
GONE = "@releaseDomain"  # fires when a guest shuts down or is destroyed
ALMOST_FULL = 64  # requests under way: xenstored's buffers hold more


class XenStore:
    """One connection, made again when it was lost. Safe to use from several threads."""

    def __init__(self, socket: Path = SOCKET) -> None:
        self._socket, self._lock, self._client = socket, Lock(), None

    def read(self, paths: Sequence[str]) -> list[str | None]:
        """The texts there, None where there is none (or it is none of ours to read)."""
        with self._lock:
            found: list[str | None] = []
            for begin in range(0, len(paths), ALMOST_FULL):
                found += self._trusted(partial(_together, paths[begin : begin + ALMOST_FULL]))
            return found

    def write(self, path: str, text: str) -> None:
        with self._lock:
            self._trusted(lambda client: client.write(path.encode(), text.encode()))

    def resume(self, handle: int) -> None:
        """Tell xenstored that a guest lives on after a suspend was taken back."""
        with self._lock:
            self._trusted(lambda client: client.resume_domain(handle))

    def watch_ends(self, told: Callable[[], object]) -> None:
        """Call `told`, from another thread, whenever a guest may have ended."""
        Thread(target=self._watch, args=(told,), name="ends", daemon=True).start()

    def _watch(self, told: Callable[[], object]) -> None:
        with pyxs.Client(unix_socket_path=str(self._socket)) as client:
            monitor = client.monitor()
            monitor.watch(GONE.encode(), b"ends")
            for _ in monitor.wait():
                told()

    def _trusted(self, act: Callable[[pyxs.Client], list[str | None]]) -> list[str | None]:
        try:
            if self._client is None:
                client = pyxs.Client(unix_socket_path=str(self._socket))
                client.connect()
                self._client = client
            return act(self._client)
        except (pyxs.PyXSError, OSError) as error:
            self._client = None
            raise ActuationError(f"XenStore: {error or type(error).__name__}", temporary=True) from error


def _together(paths: Sequence[str], client: pyxs.Client) -> list[str | None]:
    asked = [client.router.send(Packet(Op.READ, path.encode() + NUL, rq_id=next_rq_id())) for path in paths]
    answers = [each.get() for each in asked]
    return [None if answer.op == Op.ERROR else answer.payload.decode(errors="replace") for answer in answers]
