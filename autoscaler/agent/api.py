"""The agent's HTTP API: what may be asked, by whom, and in which words it is answered.

Separate from serving.py so that it can be tested without sockets or certificates. Nothing is decided here: requests become
calls, errors become statuses (400 fix the call, 403 not yours, 404 not here, 409 not now, 503 come again).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from autoscaler.agent.credentials import Credentials
from autoscaler.agent.deeds import Bench
from autoscaler.agent.descriptions import check_digest, check_step_id, check_uuid, read_step_request
from autoscaler.agent.exporter import exposition
from autoscaler.agent.handover import Handovers
from autoscaler.agent.keeper import ENDED, PRESENT, STARTING
from autoscaler.agent.openapi import DOCUMENT
from autoscaler.agent.roles import CALLER, may
from autoscaler.agent.steps import Steps
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError

BODY_MOST_BYTES = 256 << 10  # of a document; images have no bound but the disk's
TAIL_MOST = 100_000
TYPED_MOST_BYTES = 64 << 10

Endpoint = Callable[[Request], Awaitable[Response]]


class NotHereError(UsageError):
    """What was asked for is not on this cloud VM."""


class TooMuchError(UsageError):
    """A body larger than is read."""


@dataclass(frozen=True, slots=True)
class API:
    """The endpoints over one agent's parts."""

    bench: Bench
    steps: Steps
    credentials: Credentials | None = None
    handovers: Handovers | None = None

    def application(self) -> Starlette:
        routes = [
            Route("/v1/host", self._guarded(self.host)),
            Route("/v1/app-vms", self._guarded(self.app_vms)),
            Route("/v1/app-vms/{uuid}", self._guarded(self.app_vm)),
            Route("/v1/app-vms/{uuid}/logs", self._guarded(self.logs)),
            Route("/v1/app-vms/{uuid}/wait", self._guarded(self.wait)),
            Route("/v1/app-vms/{uuid}/console", self._guarded(self.typed), methods=["POST"]),
            Route("/v1/steps", self._guarded(self.all_steps)),
            Route("/v1/steps/{step:path}", self._guarded(self.step), methods=["GET", "PUT", "DELETE"]),
            Route("/v1/images", self._guarded(self.all_images)),
            Route("/v1/images/{digest}", self._guarded(self.image), methods=["GET", "HEAD", "PUT", "DELETE"]),
            Route("/v1/keys", self._guarded(self.keys), methods=["PUT"]),
            Route("/v1/fenced/{peer}", self._guarded(self.fenced), methods=["PUT"]),
            Route("/v1/openapi.json", self._guarded(self.openapi)),
            Route("/metrics", self._guarded(self.metrics)),
        ]
        return Starlette(routes=routes, exception_handlers={404: _no_such_path, 405: _no_such_method})

    async def host(self, request: Request) -> Response:
        del request
        report = self.bench.keeper.host()
        if report is None:
            raise ActuationError("nothing has been observed yet", temporary=True)
        return JSONResponse(plain(report))

    async def app_vms(self, request: Request) -> Response:
        del request
        return JSONResponse(plain(self.bench.keeper.reports()))

    async def app_vm(self, request: Request) -> Response:
        return JSONResponse(plain(self.bench.keeper.report(self._uuid(request))))

    async def logs(self, request: Request) -> Response:
        """All of the console, or its last `tail` lines; with `follow` what comes, until it ends or leaves."""
        keeper, uuid = self.bench.keeper, self._uuid(request)
        record = keeper.record(uuid) if uuid in keeper.records else _missing(uuid)
        follow, tail = _flag(request, "follow"), _count(request, "tail")

        def live() -> bool:
            return follow and uuid in keeper.records and keeper.records[uuid].phase in (STARTING, PRESENT)

        pieces = keeper.logs.follow(lambda: keeper.pieces(keeper.records.get(uuid, record)), live, tail)
        return StreamingResponse(pieces, media_type="text/plain; charset=utf-8")

    async def wait(self, request: Request) -> Response:
        """Answers when it has ended, with its report; 404 when it is not here any more."""
        keeper, uuid = self.bench.keeper, self._uuid(request)
        while True:
            report = keeper.report(uuid)
            if report.ended is not None:
                return JSONResponse(plain(report))
            await keeper.news(None)
            if uuid not in keeper.records and uuid not in keeper.gone:
                _missing(uuid)

    async def typed(self, request: Request) -> Response:
        uuid = self._uuid(request)
        typed = await _body(request, TYPED_MOST_BYTES)
        seen = self.bench.keeper.seen(uuid)
        if uuid not in self.bench.keeper.records or seen is None:
            raise UsageError(f"app VM {uuid} does not run here")
        self.bench.keeper.hypervisor.type_to(seen, typed)
        return Response(status_code=204)

    async def all_steps(self, request: Request) -> Response:
        return JSONResponse(plain(self.steps.all(ended_only=_flag(request, "ended"))))

    async def step(self, request: Request) -> Response:
        name = check_step_id(request.path_params["step"])
        if request.method == "PUT":
            document = _parsed(await _body(request, BODY_MOST_BYTES))
            known = any(report.id == name for report in self.steps.all())
            return JSONResponse(
                plain(self.steps.report(name) if known else self.steps.submit(name, read_step_request(document)))
            )
        if all(report.id != name for report in self.steps.all()):
            raise NotHereError(f"there is no step {name!r} on this cloud VM")
        if request.method == "DELETE":
            self.steps.forget(name)
            if self.handovers is not None:
                self.handovers.forget(name)
            return Response(status_code=204)
        return JSONResponse(plain(self.steps.report(name)))

    async def all_images(self, request: Request) -> Response:
        del request
        return JSONResponse(self.bench.images.all())

    async def image(self, request: Request) -> Response:
        digest = check_digest(request.path_params["digest"])
        images = self.bench.images
        if request.method == "PUT":
            if not images.has(digest):
                await images.receive(digest, request.stream())
            return Response(status_code=204)
        if not images.has(digest):
            raise NotHereError(f"image {digest} is not on this cloud VM")
        if request.method == "DELETE":
            self._unused(digest)
            images.remove(digest)
            return Response(status_code=204)
        return FileResponse(images.path(digest), media_type="application/octet-stream")

    def _unused(self, digest: str) -> None:
        for record in self.bench.keeper.records.values():
            if digest in (record.spec.image, record.spec.files, record.spec.disk) and record.phase != ENDED:
                raise UsageError(f"image {digest[:12]} is in use by {record.spec.name}")

    async def keys(self, request: Request) -> Response:
        if self.credentials is None:
            raise UsageError("this agent uses no keys")
        document = _parsed(await _body(request, BODY_MOST_BYTES))
        self.credentials.replace(document)
        return JSONResponse({})

    async def fenced(self, request: Request) -> Response:
        """The controller knows from the provider that this boot of that cloud VM will never run again."""
        document = _parsed(await _body(request, BODY_MOST_BYTES))
        boot_id = document.get("boot_id") if isinstance(document, dict) else None
        if not isinstance(boot_id, str) or not boot_id:
            raise UsageError('boot_id: text was expected: {"boot_id": "..."}')
        if self.handovers is not None:
            await self.handovers.fenced(request.path_params["peer"], boot_id)
        return JSONResponse({})

    async def openapi(self, request: Request) -> Response:
        del request
        return JSONResponse(DOCUMENT)

    async def metrics(self, request: Request) -> Response:
        del request
        text, kind = exposition(self.bench.keeper, self.steps)
        return Response(text, media_type=kind)

    def _uuid(self, request: Request) -> str:
        uuid = check_uuid(request.path_params["uuid"])
        keeper = self.bench.keeper
        return uuid if uuid in keeper.records or uuid in keeper.gone else _missing(uuid)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Whose call it is decides first; then every refusal has a status and one line of JSON."""

        @wraps(endpoint)
        async def answer(request: Request) -> Response:
            caller = request.scope.get(CALLER, "")
            if not may(caller, request.method, request.url.path):
                return _refusal(403, f"{caller or 'this certificate'} may not {request.method} {request.url.path}")
            try:
                return await endpoint(request)
            except (UsageError, ActuationError) as error:
                return _refusal(_status(error, request.method), str(error))
            except ClientDisconnect:
                return _refusal(400, "the body ended early")

        return answer


def _status(error: UsageError | ActuationError, method: str) -> int:
    if isinstance(error, ActuationError):
        return 503 if error.temporary else 409
    if isinstance(error, NotHereError):
        return 404
    if isinstance(error, TooMuchError):
        return 413
    return 409 if method == "DELETE" else 400


def _refusal(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=status)


async def _no_such_path(request: Request, error: Exception) -> Response:
    del error
    return _refusal(404, f"there is no {request.url.path}; /v1/openapi.json lists what there is")


async def _no_such_method(request: Request, error: Exception) -> Response:
    del error
    return _refusal(405, f"{request.url.path} does not take {request.method}; /v1/openapi.json lists what it takes")


def _missing(uuid: str) -> Any:
    raise NotHereError(f"there is no app VM {uuid} on this cloud VM")


async def _body(request: Request, most: int) -> bytes:
    pieces: AsyncIterator[bytes] = request.stream()
    found = b""
    async for piece in pieces:
        found += piece
        if len(found) > most:
            raise TooMuchError(f"the body is larger than {most} bytes")
    return found


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is not JSON: {error}") from None


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "0")
    if text not in ("", "0", "1", "true", "false"):
        raise UsageError(f"{name}: {text[:40]!r} is neither 1 nor 0")
    return text in ("", "1", "true")


def _count(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None or text == "all":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) <= TAIL_MOST):
        raise UsageError(f"{name}: {text[:40]!r} is not a number from 0 to {TAIL_MOST}")
    return int(text)
