"""XenStore for handovers: pyxs's client without its thread, and a domain's tree made in one transaction.

Separate because of time: pyxs routes answers through a thread, which costs milliseconds a call under emulation, and a call in
the pause is downtime. Nothing here knows what a handover is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

SOCKET = "/run/xenstored/socket"
ATTEMPTS = 20  # of a transaction: each conflict means that somebody else made progress

# Permissions as XenStore writes them: n = none, r = read, b = both; the first names the owner.
DOM0_ONLY = ("n0",)


class _Answer:
    __slots__ = ("_packet",)

    def __init__(self, packet: Any) -> None:
        self._packet = packet

    def get(self) -> Any:
        return self._packet


class _Direct:
    """What pyxs calls a router: one request, one answer, in the caller's own thread; so no watches."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @property
    def is_connected(self) -> bool:
        return bool(self.connection.is_connected)

    def start(self) -> None:
        self.connection.connect()

    def send(self, packet: Any) -> _Answer:
        self.connection.send(packet)
        return _Answer(self.connection.recv())

    def terminate(self) -> None:
        self.connection.close()


class Store:
    """A connection to xenstored. Text in and out; a node that is not there reads as ""."""

    def __init__(self, path: str = SOCKET) -> None:
        self._pyxs: Any = importlib.import_module("pyxs")
        connection = importlib.import_module("pyxs.connection").UnixSocketConnection(path)
        self._client: Any = self._pyxs.Client(router=_Direct(connection))
        self._client.connect()

    def close(self) -> None:
        self._client.close()

    def read(self, path: str) -> str:
        with suppress(self._pyxs.PyXSError):
            return str(self._client.read(path.encode()).decode())
        return ""

    def children(self, path: str) -> list[str]:
        with suppress(self._pyxs.PyXSError):
            return sorted(name.decode() for name in self._client.list(path.encode()))
        return []

    def write(self, path: str, value: str) -> None:
        self._client.write(path.encode(), value.encode())

    def remove(self, path: str) -> None:
        with suppress(self._pyxs.PyXSError):
            self._client.delete(path.encode())

    def permit(self, path: str, permissions: Iterable[str]) -> None:
        self._client.set_perms(path.encode(), [each.encode() for each in permissions])

    def make(self, path: str, values: Mapping[str, str], permissions: Iterable[str]) -> None:
        """A directory with `permissions`, and nodes in it, which inherit them."""
        self._client.mkdir(path.encode())
        self.permit(path, permissions)
        for name, value in values.items():
            self.write(f"{path}/{name}", value)

    def introduce(self, domid: int, ring: int, port: int) -> None:
        self._client.introduce_domain(domid, ring, port)

    def release(self, domid: int) -> None:
        with suppress(self._pyxs.PyXSError):
            self._client.release_domain(domid)

    def resumed(self, domid: int) -> None:
        self._client.resume_domain(domid)

    def at_once(self, changes: Callable[[Store], None]) -> None:
        """Do `changes` in one transaction, again while others interfere."""
        for _ in range(ATTEMPTS):
            with self._transaction() as committed:
                changes(self)
            if committed[0]:
                return
        raise OSError(f"XenStore refused a transaction {ATTEMPTS} times: something else writes the same nodes")

    @contextmanager
    def _transaction(self) -> Iterator[list[bool]]:
        committed = [False]
        self._client.transaction()
        try:
            yield committed
        except BaseException:
            self._client.rollback()
            raise
        committed[0] = bool(self._client.commit())
