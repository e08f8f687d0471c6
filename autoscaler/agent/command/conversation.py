"""One agent, asked over HTTP: through its unix socket or over mutual TLS. Separate because the rest need not know which."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from autoscaler.errors import ActuationError, FlexCapsuleError, UsageError

SOCKET = Path("/run/flexcapsule/agent.sock")
PORT = 8650
PATIENCE_S = 30.0
PIECE_BYTES = 1 << 16
GONE = (404, 410)
LATER = 500  # from here on it is not the call that is wrong


class GoneError(UsageError):
    """The agent does not know what was asked for (any more)."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent of the cloud VM `name`; `back` is where other agents reach it, `connect` takes a timeout."""

    name: str
    place: str
    back: str
    connect: Callable[[float | None], http.client.HTTPConnection]

    def ask(self, method: str, path: str, document: object = None, *, patience_s: float | None = PATIENCE_S) -> Any:
        """The JSON answer, None where there is none. Raises GoneError, UsageError (refused), ActuationError (no answer)."""
        body = None if document is None else json.dumps(document).encode()
        with closing(self.connect(patience_s)) as connection:
            answer = self._answer(connection, method, path, body)
            text = self._read(answer)
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise ActuationError(f"what answers for {self.name} at {self.place} is no agent", temporary=False) from None

    def send(self, path: str, content: bytes | BinaryIO, size: int) -> None:
        """PUT a file's bytes."""
        with closing(self.connect(None)) as connection:
            self._read(self._answer(connection, "PUT", path, content, {"Content-Length": str(size)}))

    def post(self, path: str, content: bytes) -> None:
        with closing(self.connect(PATIENCE_S)) as connection:
            self._read(self._answer(connection, "POST", path, content, {"Content-Type": "application/octet-stream"}))

    def has(self, path: str) -> bool:
        try:
            self.ask("HEAD", path)
        except GoneError:
            return False
        return True

    def stream(self, path: str) -> Iterator[bytes]:
        """The answer's bytes as they come, until the agent ends it or goes away."""
        with closing(self.connect(None)) as connection:
            answer = self._answer(connection, "GET", path, None)
            while True:
                try:
                    piece = answer.read1(PIECE_BYTES)
                except (OSError, http.client.HTTPException):
                    return  # whoever reads asks where the app VM is now
                if not piece:
                    return
                yield piece

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | BinaryIO | None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        try:
            sent = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
            connection.request(method, path, body=body, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise ActuationError(
                f"the agent of {self.name} does not answer at {self.place} ({error or type(error).__name__})",
                temporary=True,
            ) from error
        if answer.status >= 400:
            raise self._refusal(answer)
        return answer

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ActuationError(f"the agent of {self.name} went away while it answered", temporary=True) from error

    def _refusal(self, answer: http.client.HTTPResponse) -> FlexCapsuleError:
        text = self._read(answer)
        try:
            why = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            why = f"HTTP {answer.status}"
        if answer.status >= LATER:
            return ActuationError(f"{self.name}: {why}", temporary=True)
        return (GoneError if answer.status in GONE else UsageError)(f"{self.name}: {why}")


def local(name: str, path: Path = SOCKET) -> Agent:
    """The agent of this management VM."""
    return Agent(name, str(path), name, lambda timeout: _UnixConnection(path, timeout))


def remote(name: str, address: str, back: str, context: ssl.SSLContext, port: int = PORT) -> Agent:
    """The agent at `address`, which must prove to be there by its certificate."""
    return Agent(
        name,
        f"{address}:{port}",
        back,
        lambda timeout: http.client.HTTPSConnection(address, port, context=context, timeout=timeout),
    )
