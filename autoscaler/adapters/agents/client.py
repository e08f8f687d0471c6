"""The agents' HTTP API from the controller's side: mutual TLS, one client for all, errors as ours.

The only module here that knows httpx. Safe to use from several threads. What an answer means is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from autoscaler import keys
from autoscaler.agent.descriptions import (
    HostReport,
    StepReport,
    StepRequest,
    read_host_report,
    read_step_report,
)
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError

T = TypeVar("T")
PORT = 8650
CONNECT_S, ANSWER_S = (
    3.0,
    10.0,
)  # an agent under emulation answers within a second; a dead one must not hold up the loop
PUSH_S = 300.0
KEEP_OPEN_S = 50.0  # agents hang up after 60 s; a TLS handshake is dear under emulation
MAY_PASS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})  # statuses after which the same call may succeed
KEY_FILES = ("authority.pem", "controller.pem")


class Agents:
    """`directory`: the cluster's keys, None = plain HTTP (tests). Every call raises ActuationError, temporary where the agent does
    not answer or may do it later."""

    def __init__(self, directory: Path | None, *, answer_s: float = ANSWER_S) -> None:
        self._directory, self._timeout = directory, httpx.Timeout(answer_s, connect=min(CONNECT_S, answer_s))
        self._written = self._key_times()
        self._client = self._opened()

    def host(self, address: str) -> HostReport:
        return _read(read_host_report, self._asked("GET", address, "/v1/host"))

    def put_step(self, address: str, step: str, request: StepRequest) -> StepReport:
        return _read(read_step_report, self._asked("PUT", address, _step(step), json=plain(request)))

    def step(self, address: str, step: str) -> StepReport | None:
        """How far a step is; None where the agent does not know it."""
        found = self._asked("GET", address, _step(step), missing_is_none=True)
        return None if found is None else _read(read_step_report, found)

    def steps(self, address: str) -> Mapping[str, StepReport]:
        """All steps that the agent remembers, by id."""
        return _read(_by_id, self._asked("GET", address, "/v1/steps"))

    def forget(self, address: str, step: str) -> None:
        self._asked("DELETE", address, _step(step), missing_is_none=True)

    def has_image(self, address: str, digest: str) -> bool:
        return self._sent("HEAD", address, f"/v1/images/{digest}").status_code != httpx.codes.NOT_FOUND

    def push_image(self, address: str, digest: str, path: Path) -> None:
        with path.open("rb") as content:
            self._asked("PUT", address, f"/v1/images/{digest}", content=content, timeout=PUSH_S)

    def fence(self, address: str, peer: str, boot_id: str) -> None:
        """That boot of that peer is gone for good. An agent that knows no such word is left alone."""
        self._asked("PUT", address, f"/v1/fenced/{quote(peer)}", json={"boot_id": boot_id}, missing_is_none=True)

    def take_new_keys(self) -> None:
        """Use the keys as they are now; connections under way go on with the old ones."""
        written = self._key_times()
        if written != self._written:
            self._written, self._client = written, self._opened()

    def close(self) -> None:
        self._client.close()

    def _opened(self) -> httpx.Client:
        verify: Any = True if self._directory is None else keys.context(self._directory)
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=KEEP_OPEN_S)
        return httpx.Client(verify=verify, timeout=self._timeout, trust_env=False, limits=limits)

    def _key_times(self) -> tuple[int, ...]:
        if self._directory is None:
            return ()
        files = (self._directory / name for name in KEY_FILES)
        return tuple(file.stat().st_mtime_ns for file in files if file.exists())

    def _asked(self, method: str, address: str, path: str, *, missing_is_none: bool = False, **more: Any) -> Any:
        answer = self._sent(method, address, path, **more)
        if missing_is_none and answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            message = f"the agent at {address} refuses: {_error(answer)}"
            raise ActuationError(message, temporary=answer.status_code in MAY_PASS)
        if answer.status_code == httpx.codes.NO_CONTENT or not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise ActuationError(
                f"what answers at {address} is no agent: it does not speak JSON", temporary=True
            ) from None

    def _sent(self, method: str, address: str, path: str, **more: Any) -> httpx.Response:
        """Sent once more where the agent hung up on a connection that was kept open: every call may be made twice."""
        url = f"{self._base(address)}{path}"
        try:
            try:
                return self._client.request(method, url, **more)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if "content" in more:  # a file that is half read
                    raise
                return self._client.request(method, url, **more)
        except httpx.TimeoutException:
            raise ActuationError(f"the agent at {address} did not answer in time", temporary=True) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise ActuationError(f"the agent at {address} cannot be reached: {why}", temporary=True) from None

    def _base(self, address: str) -> str:
        place = address if ":" in address else f"{address}:{PORT}"
        return f"{'http' if self._directory is None else 'https'}://{place}"


def _read(form: Callable[[Any], T], document: Any) -> T:
    """What cannot be read is as good as silence: an agent of another kind."""
    try:
        return form(document)
    except (UsageError, KeyError, TypeError) as error:
        raise ActuationError(f"an agent's answer cannot be read: {error}", temporary=True) from error


def _by_id(document: Any) -> dict[str, StepReport]:
    listed = document["steps"] if isinstance(document, dict) else document
    return {report.id: report for report in map(read_step_report, listed)}


def _step(step: str) -> str:
    return f"/v1/steps/{quote(step, safe=':')}"


def _error(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
