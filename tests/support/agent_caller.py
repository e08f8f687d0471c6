"""An agent in memory behind its own API, spoken to as the controller or as somebody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from rehearsed import MIB, Rehearsal, World

from autoscaler.agent.serving import known_as

IMAGE = b"an image"
DIGEST = sha256(IMAGE).hexdigest()
UUID = "6f2d1c1e-0000-4000-8000-000000000001"


def spec(**more: Any) -> dict[str, Any]:
    return {"uuid": UUID, "name": "web", "image": DIGEST, "memory_bytes": 16 * MIB, **more}


class Client:
    """The API without sockets, asked from a test that waits for its answer; the agent's loop is the portal's."""

    def __init__(self, portal: BlockingPortal, application: Any) -> None:
        transport = httpx.ASGITransport(application)
        self.portal, self._client = portal, httpx.AsyncClient(transport=transport, base_url="http://agent")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.portal.call(partial(self._client.request, method, path, **more))

    def __getattr__(self, verb: str) -> Callable[..., httpx.Response]:
        return partial(self.request, verb.upper())


@dataclass
class Caller:
    """`client`: the controller; `other(caller)`: whoever that certificate says."""

    rehearsal: Rehearsal
    client: Client

    @property
    def world(self) -> World:
        return self.rehearsal.world

    def other(self, caller: str) -> Client:
        return Client(self.client.portal, known_as(caller, self.rehearsal.agent.api.application()))

    def rest(self) -> None:
        self.client.portal.call(self.rehearsal.rested)

    def look(self) -> None:
        self.client.portal.call(lambda: self.rehearsal.keeper.look(sample=True))

    def step(self, name: str, **request: Any) -> dict[str, Any]:
        """Submitted, and how it ended."""
        answer = self.client.put(f"/v1/steps/{name}", json=request)
        assert answer.status_code == 200, answer.text
        self.rest()
        found: dict[str, Any] = self.client.get(f"/v1/steps/{name}").json()
        return found

    def start(self, **more: Any) -> dict[str, Any]:
        assert self.client.put(f"/v1/images/{DIGEST}", content=IMAGE).status_code == 204
        return self.step(f"start:{more.get('name', 'web')}", kind="start", spec=spec(**more))

    def report(self, uuid: str = UUID) -> dict[str, Any]:
        self.look()
        found: dict[str, Any] = self.client.get(f"/v1/app-vms/{uuid}").json()
        return found
