"""What two agents say to each other on the back network: frames over mutual TLS, short JSON messages and stretches of stream.

Separate because this is where a hostile or broken peer is met: every length is checked before it is believed, everything
has a patience, and who speaks is who its certificate says. What the messages mean is handover.py's and its parts'.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from autoscaler.errors import ActuationError

PORT = 8651
PROTOCOL = 2  # 2: the permission follows the stream at once
HEADER = struct.Struct("!cI")
MESSAGE, STREAM = b"m", b"s"
MESSAGE_MOST_BYTES = 1 << 20  # the toolstack's description of an app VM is a few kilobytes
STREAM_MOST_BYTES = 1 << 20
BUFFER_BYTES = 4 << 20
CONNECT_PATIENCE_S = 10.0
PATIENCE_S = 30.0  # of silence: above what a guest under emulation takes to suspend, below what a caller waits for
AGENT_URI = "flexcapsule://agent/"


class LinkError(Exception):
    """The other agent is not reachable, fell silent, hung up, or does not speak this protocol."""


class Link:
    """One connection to another agent; `peer` is its name, proved by its certificate."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float = PATIENCE_S
    ) -> None:
        self._reader, self._writer, self._patience_s = reader, writer, patience_s
        self.peer = _peer_name(writer)
        self.sent_bytes = 0
        _keep_honest(writer, patience_s)
        if not self.peer:
            writer.transport.abort()
            raise LinkError("who called is no agent")

    async def say(self, kind: str, **words: Any) -> None:
        self._frame(MESSAGE, json.dumps({"kind": kind, **words}).encode())
        await self._flush()

    async def pour(self, stretch: bytes) -> None:
        self._frame(STREAM, stretch)
        await self._flush()

    def _frame(self, kind: bytes, content: bytes) -> None:
        self._writer.write(HEADER.pack(kind, len(content)) + content)
        self.sent_bytes += HEADER.size + len(content)

    async def _flush(self) -> None:
        with _Patience("taking what was sent"):
            async with asyncio.timeout(self._patience_s):
                await self._writer.drain()

    async def hear(self, patience_s: float = 0.0) -> dict[str, Any]:
        """The next message. Raises LinkError when something else comes, or nothing."""
        kind, content = await self._next(patience_s)
        if kind != MESSAGE:
            raise LinkError(f"{self.peer} sent a stretch of stream where a message was due")
        return _parsed(content)

    async def hear_either(self, patience_s: float = 0.0) -> dict[str, Any] | bytes:
        """The next message or the next stretch of stream."""
        kind, content = await self._next(patience_s)
        return content if kind == STREAM else _parsed(content)

    async def _next(self, patience_s: float) -> tuple[bytes, bytes]:
        with _Patience("saying anything"):
            async with asyncio.timeout(patience_s or self._patience_s) as patience:
                kind, size = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                if size > {MESSAGE: MESSAGE_MOST_BYTES, STREAM: STREAM_MOST_BYTES}.get(kind, -1):
                    raise LinkError(
                        f"{self.peer} announced {size} bytes of kind {kind!r}: it does not speak this protocol"
                    )
                patience.reschedule(asyncio.get_running_loop().time() + (patience_s or self._patience_s))
                return kind, await self._reader.readexactly(size)

    def hang_up(self) -> None:
        self._writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)


@asynccontextmanager
async def connection(
    address: str, context: ssl.SSLContext, expected: str, patience_s: float = PATIENCE_S
) -> AsyncIterator[Link]:
    """A link to the agent `expected` at `address` (host or host:port). Raises LinkError."""
    host, _, port = address.partition(":")
    with _Patience("answering"):
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(host, int(port or PORT), ssl=context, server_hostname=expected, limit=BUFFER_BYTES),
            min(CONNECT_PATIENCE_S, patience_s),
        )
    async with Link(reader, writer, patience_s) as link:
        if link.peer != expected:
            raise LinkError(f"at {address} answers {link.peer}, not {expected}")
        yield link


class _Patience:
    """`with _Patience("doing what"):` turns what a broken connection raises into a LinkError that says so."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise LinkError(f"the other agent fell silent instead of {self._what}") from error
        if isinstance(error, OSError | EOFError | ssl.SSLError):
            raise LinkError(f"the connection to the other agent broke: {error or type(error).__name__}") from error


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
        raise LinkError("the other agent said something that is no message")
    return said


def _peer_name(writer: asyncio.StreamWriter) -> str:
    """The agent's name in its certificate; "" for the controller, which has none."""
    certificate = writer.get_extra_info("peercert") or {}
    uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    return next((uri[len(AGENT_URI) :] for uri in uris if uri.startswith(AGENT_URI)), "")


def _keep_honest(writer: asyncio.StreamWriter, patience_s: float) -> None:
    """A peer that vanished without a word is noticed, and small words are not held back."""
    plain: socket.socket | None = writer.get_extra_info("socket")
    if plain is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience_s * 1000))


def check_protocol(link: Link, said: dict[str, Any]) -> None:
    """Raises ActuationError where the other agent is of another version: each would wait for what the other does not say."""
    if (theirs := said.get("protocol", 1)) != PROTOCOL:
        raise ActuationError(
            f"{link.peer} hands over by protocol {str(theirs)[:10]}, this agent by {PROTOCOL}: update the older one",
            temporary=False,
        )


def refused(said: dict[str, Any]) -> ActuationError:
    """What the other side's refusal means for the step."""
    return ActuationError(
        str(said.get("why", "the other side refused"))[:2000], temporary=bool(said.get("temporary", True))
    )
