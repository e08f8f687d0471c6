"""The HTTP server's life: a socket bound before anything else starts, a thread that serves it, and its end.

Separate from http.py so that the endpoints can be tested without a socket. The loop never waits for this thread.
"""

from __future__ import annotations

import asyncio
import socket
from threading import Thread
from types import TracebackType
from typing import Self

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoscaler.errors import UsageError

CONNECTIONS = 64  # beyond this, callers are told to come back: the controller comes first
IDLE_S = 5  # an idle connection is closed
HEADER_LIMIT_BYTES = 16 << 10
STOP_S = 1.0  # how long open answers may take once the controller ends
HEADERS_WITHIN_S = (
    5.0  # who has not said what he wants by then is hung up on, or a few such callers would take all places
)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises UsageError where the address is taken. Port 0 = any free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"http.host {host!r} is not an address of this machine: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "another controller may be running: set http.port to a free one"
        ) from error
    return listener


def hosts(host: str) -> tuple[str, ...]:
    """The names a server bound to `host` answers to: on loopback only loopback's, elsewhere any."""
    return (*LOOPBACK, "[::1]") if host in LOOPBACK else ("*",)


class ImpatientProtocol(H11Protocol):
    """uvicorn's, which waits for the end of a request's headers for ever; this one does not."""

    headers_within_s = HEADERS_WITHIN_S
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_watching()
        elif self._patience is None:
            self._patience = self.loop.call_later(self.headers_within_s, self.transport.close)

    def _stop_watching(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Server:
    """Serves while it is entered."""

    def __init__(
        self, application: Starlette, listener: socket.socket, headers_within_s: float = HEADERS_WITHIN_S
    ) -> None:
        self._listener, self._application = listener, application
        protocol = type("Protocol", (ImpatientProtocol,), {"headers_within_s": headers_within_s})
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=int(STOP_S),
            h11_max_incomplete_event_size=HEADER_LIMIT_BYTES,
            http=protocol,
            ws="none",
            lifespan="off",
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self._application.state.ending = True  # streams end themselves; being cut off would be logged as a defect
        self._server.should_exit = True
        self._thread.join(STOP_S + 1.0)
        self._listener.close()
