"""Sockets: the API over mutual TLS on a port, and on a unix socket that only root can open; all in one event loop.

Separate because here alone it is decided who a caller is: by the verified certificate, or by having opened the socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoscaler.agent.roles import CALLER, CONTROLLER, caller_of
from autoscaler.errors import UsageError

CONNECTIONS = 128
HEADERS_WITHIN_S = 10.0  # who has not said what he wants by then is hung up on
IDLE_S = 60  # controllers ask every few seconds, and a TLS handshake is dear under emulation


class CallerProtocol(H11Protocol):
    """uvicorn's, which tells the application nothing of the certificate and waits for headers for ever."""

    headers_within_s = HEADERS_WITHIN_S
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        secured = transport.get_extra_info("ssl_object")
        self.app = known_as(CONTROLLER if secured is None else caller_of(secured.getpeercert()), self.app)
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


def known_as(caller: str, application: Any) -> ASGIApp:
    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        await application({**scope, CALLER: caller}, receive, send)

    return told


class Listener(uvicorn.Server):
    """uvicorn's, without its claim on the process's signals: several run side by side here."""

    def install_signal_handlers(self) -> None:
        """Of uvicorn before 0.29."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Of uvicorn since 0.29."""
        yield


def listener(
    application: ASGIApp, context: ssl.SSLContext | None, *, headers_within_s: float = HEADERS_WITHIN_S
) -> Listener:
    protocol = type("Protocol", (CallerProtocol,), {"headers_within_s": headers_within_s})
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_S,
        http=protocol,
        ws="none",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
    )
    config.load()
    config.ssl = context
    return Listener(config)


def bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(CONNECTIONS)
    except OSError as error:
        bound.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; another agent may be running") from error
    return bound


def bind_path(path: Path) -> socket.socket:
    """For root alone, from its first instant on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    bound.listen(CONNECTIONS)
    return bound


async def serve(places: list[tuple[Listener, socket.socket]], until: asyncio.Event) -> None:
    """Until told; open answers are given a moment, streams are cut."""
    serving = [asyncio.ensure_future(each.serve(sockets=[bound])) for each, bound in places]
    waiting = asyncio.ensure_future(until.wait())
    await asyncio.wait([*serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    for each, _ in places:
        each.should_exit = each.force_exit = True
    waiting.cancel()
    await asyncio.gather(*serving, waiting, return_exceptions=True)
