"""A running controller, asked over its own HTTP API. Its address comes from --url, or from the config it was started with.

Separate so that every command says the same when nobody answers. No decision and no printing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.errors import UsageError

PATIENCE_S = 10.0  # a preview on 10,000 app VMs takes a second


@dataclass(frozen=True, slots=True)
class Controller:
    """`token_file` is only read when something is to be changed."""

    url: str
    token_file: Path

    def get(self, path: str) -> Any:
        """The document at `path`; raises UsageError where nobody answers or the answer is no."""
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        from autoscaler.telemetry.token import read

        return self._ask("POST", path, headers={"Authorization": f"Bearer {read(self.token_file)}"}, json=body)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        try:
            answer = httpx.request(method, self.url.rstrip("/") + path, timeout=PATIENCE_S, trust_env=False, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UsageError(
                f"no controller answers at {self.url} ({error}); start one with `flexcapsule run`, or name it with --url"
            ) from error
        try:
            document = answer.json()
        except ValueError as error:
            raise UsageError(f"what answers at {self.url} is no FlexCapsule controller; name one with --url") from error
        if answer.is_error:
            raise UsageError(f"the controller refuses: {document.get('detail', answer.status_code)}")
        return document


def controller(config: Path | None, url: str | None, token_file: Path | None = None) -> Controller:
    """The controller that `config` (or the defaults) belongs to, or the one at `url`."""
    from autoscaler.config import read_config

    http = read_config(config).http
    host = f"[{http.host}]" if ":" in http.host else http.host
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  bound everywhere: ask on loopback
    return Controller(url or f"http://{host}:{http.port}", token_file or Path(http.token_file))
