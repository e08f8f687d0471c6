"""The status page: four files and one stream of events, from published views only. What the page shows is page.js's part.

Separate from http.py because it is for eyes, not for programs: no stable API, nothing here may change anything. The page may
load from this server alone (its Content-Security-Policy), and each viewer costs one look at the newest view per second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from autoscaler.core.snapshot import CPU, Inventory
from autoscaler.telemetry.reports import time_text
from autoscaler.telemetry.view import View

FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/film.js": ("film.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
LOOK_S = 1.0  # between two looks; a compressed run ticks faster than anybody can read
NAPS = 5  # of each wait, so that an open page does not hold up the controller's end
VIEWERS = 16  # of the server's connections; the others are for scrapes and commands
HEARTBEAT = ": nothing new\n\n"


def routes(view: Callable[[], View | None]) -> list[Route]:
    """The page's routes; `view` gives the newest published view."""
    folder = Path(__file__).parent / "page"
    found = [Route(path, _file(folder / name, kind), methods=["GET"]) for path, (name, kind) in FILES.items()]
    return [*found, Route("/stream", _Stream(view), methods=["GET"])]


def _file(path: Path, kind: str) -> Callable[[Request], Response]:
    content = path.read_bytes()
    return lambda _request: Response(content, media_type=kind, headers=HEADERS)


class _Stream:
    """Server-sent events: `inventory` when somebody came or went, `moment` after a tick."""

    def __init__(self, view: Callable[[], View | None]) -> None:
        self._view, self._viewers = view, 0
        self.__name__ = "stream"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._viewers >= VIEWERS:
            raise HTTPException(503, f"{VIEWERS} pages are open already", headers={"Retry-After": "5"})
        self._viewers += 1
        try:
            app = scope["app"]
            told = events(self._view, ended=lambda: getattr(app.state, "ending", False))
            answer = StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)
            await answer(scope, receive, send)
        finally:
            self._viewers -= 1


async def events(
    view: Callable[[], View | None], look_s: float = LOOK_S, ended: Callable[[], bool] = lambda: False
) -> AsyncIterator[str]:
    """What has changed since the last look, as text of the stream; until the server ends, which it does within a second."""
    told: Inventory | None = None
    shown: View | None = None
    while not ended():
        newest = view()
        if newest is None or newest is shown:
            yield HEARTBEAT
        else:
            if newest.snapshot.inventory is not told:
                told = newest.snapshot.inventory
                yield _event("inventory", inventory(told))
            shown = newest
            yield _event("moment", moment(newest))
        for _ in range(NAPS):
            await asyncio.sleep(0.0 if ended() else look_s / NAPS)


def _event(name: str, content: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, separators=(',', ':'), allow_nan=False)}\n\n"


def inventory(known: Inventory) -> dict[str, Any]:
    """Who exists, app VMs column by column."""
    return {
        "app_vms": {
            "id": [app_vm.id for app_vm in known.app_vms],
            "service": known.app_service.tolist(),
            "cores": known.app_cores.tolist(),
            "memory_bytes": known.app_memory_bytes.tolist(),
        },
        "services": [service.id for service in known.services],
        "cloud_vms": [
            {
                "id": cloud_vm.id,
                "size": cloud_vm.size.name,
                "state": str(cloud_vm.state),
                "cores": cloud_vm.size.cores,
                "memory_bytes": cloud_vm.size.memory_bytes,
                "price_per_hour": cloud_vm.size.price_per_hour,
            }
            for cloud_vm in known.cloud_vms
        ],
    }


def moment(view: View) -> dict[str, Any]:
    """Who is where, and what is to be said of it. cpu: share of the app VM's own cores in use; moving, stale: rows."""
    state, snapshot, known = view.state, view.snapshot, view.snapshot.inventory
    cores, offered = np.nan_to_num(snapshot.latest(CPU)), float(known.cloud_cores.sum())
    fresh_s = state.policy.limits.fresh_s if state.policy else np.inf
    in_flight = [row for row, app_vm in enumerate(known.app_vms) if app_vm.id in snapshot.in_flight]
    return {
        "at": time_text(view.at),
        "policy": state.policy.name if state.policy else "",
        "mode": str(view.mode),
        "price_per_hour": known.price_per_hour,
        "cost": state.totals.cost,
        "regret": None if view.regret is None else view.regret.paid - view.regret.least,
        "cpu_load_fraction": float(cores[snapshot.placement >= 0].sum()) / offered if offered else 0.0,
        "oldest_sample_s": float(snapshot.age_s.max()) if len(known.app_vms) else 0.0,
        "place": snapshot.placement.tolist(),
        "cpu": np.round(cores / np.maximum(known.app_cores, 1e-9), 3).tolist(),
        "moving": in_flight,
        "stale": np.flatnonzero(snapshot.age_s > fresh_s).tolist(),
        "paused": sorted(state.paused.items()),
        "stuck": sorted(state.stuck.items()),
        "decision": state.last.decision.id if state.last else "",
    }
