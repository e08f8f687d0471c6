"""The endpoints: metrics, health, and the API under /api/v1 (the status page: see watch.py). Reads published views and the journal; changes nothing itself.

Runs in a thread of its own. A change (pause, resume) is only left in the loop's inbox, and needs the token. Whatever comes
in, the answer is a document: garbage gets a 4xx that names the fix, never a 5xx and never a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from autoscaler.adapters import codec
from autoscaler.core.audit import AuditRecord
from autoscaler.core.engine import ENGINE_VERSION, Toolbox
from autoscaler.core.events import Word
from autoscaler.core.state import EngineState
from autoscaler.errors import FlexCapsuleError, UsageError
from autoscaler.telemetry import token as tokens
from autoscaler.telemetry import watch
from autoscaler.telemetry.exposition import Exposition
from autoscaler.telemetry.openapi import PROBLEM, document
from autoscaler.telemetry.operations import LIST_DEFAULT, LIST_LIMIT, OPERATIONS, Accepted, PauseRequest, Problem
from autoscaler.telemetry.preview import preview
from autoscaler.telemetry.reports import DecisionList, decision_brief, decision_report
from autoscaler.telemetry.status import status_report
from autoscaler.telemetry.view import Observatory, View

BODY_LIMIT_BYTES = 16 << 10  # a pause with its reason is a few hundred bytes
HANGS_AFTER_S = 60.0  # a loop without a tick for this long, or three of its periods, is not alive
TAKEN_WITHIN_S = 2.0  # a word wakes the loop; it is on record before the answer unless a long tick is going on
OWN_SITE = ("same-origin", "none")  # what a browser says of our own page, and of none; other callers say nothing
RETRY_AFTER = {"Retry-After": "1"}


class Archive(Protocol):
    """Where past decisions are read from; safe to call from the HTTP thread while the loop writes."""

    def decisions(self, limit: int, before: str | None = None) -> Sequence[AuditRecord]:
        """Newest first, those before decision `before`."""

    def decision(self, name: str) -> AuditRecord:
        """Raises UsageError where there is none of that id, as `decisions` does."""

    def decisions_about(self, subject: str, limit: int) -> Sequence[AuditRecord]:
        """The newest ones that wished, refused or planned something about a subject."""


class Receipt(Protocol):
    def wait(self, timeout_s: float) -> bool:
        """Whether the loop took the word within that time."""


class Say(Protocol):
    """Leaves an operator's word for the loop."""

    def __call__(self, word: Word, *, subject: str = "", who: str = "", why: str = "") -> Receipt: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints stand on. `say` leaves an operator's word for the loop; `hosts`: names this server answers to
    (a page in a browser that rebinds its name to loopback is not among them)."""

    observatory: Observatory
    archive: Archive
    toolbox: Toolbox
    say: Say
    token: str
    period_s: float = 0.0
    hosts: tuple[str, ...] = ("*",)


class Endpoints:
    """One method per endpoint; the table `OPERATIONS` says which."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._exposition = Exposition(desk.observatory)
        self._deciding = Lock()

    async def metrics(self, request: Request) -> Response:
        text, kind = await run_in_threadpool(self._exposition.text, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind})

    async def healthz(self, request: Request) -> Response:
        del request
        view = self._desk.observatory.view
        quiet_s = 0.0 if view is None else self._desk.observatory.timer() - view.published_at
        if quiet_s > max(HANGS_AFTER_S, 3 * self._desk.period_s):
            return PlainTextResponse(f"no tick for {quiet_s:.0f} s\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        del request
        reason = not_ready(self._desk.observatory.view)
        return PlainTextResponse(f"{reason or 'ready'}\n", HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK)

    async def status(self, request: Request) -> Response:
        del request
        return _answer(await run_in_threadpool(status_report, self._view()))

    async def decisions(self, request: Request) -> Response:
        limit, before = _limit(request), request.query_params.get("before")
        about = request.query_params.get("about")
        if about is not None:
            told = await run_in_threadpool(self._desk.archive.decisions_about, about, limit)
            return _answer(DecisionList(decisions=[decision_brief(audit) for audit in told], next_before=None))
        found = await run_in_threadpool(self._desk.archive.decisions, limit + 1, before)
        page = [decision_brief(audit) for audit in found[:limit]]
        return _answer(DecisionList(decisions=page, next_before=page[-1].id if len(found) > limit else None))

    async def decision(self, request: Request) -> Response:
        audit = await run_in_threadpool(self._desk.archive.decision, request.path_params["id"])
        return _answer(decision_report(audit))

    async def plan(self, request: Request) -> Response:
        del request
        view = self._view()
        if not self._deciding.acquire(blocking=False):
            raise HTTPException(429, "a preview is being made already; try again", headers=RETRY_AFTER)
        try:
            return _answer(await run_in_threadpool(preview, view.state, self._desk.toolbox))
        finally:
            self._deciding.release()

    async def state(self, request: Request) -> Response:
        del request
        text = await run_in_threadpool(codec.dumps, self._view().state, EngineState)
        return Response(f'{{"engine": "{ENGINE_VERSION}", "state": {text}}}', media_type="application/json")

    async def pause(self, request: Request) -> Response:
        return await self._said(request, Word.PAUSE)

    async def resume(self, request: Request) -> Response:
        return await self._said(request, Word.RESUME)

    async def openapi(self, request: Request) -> Response:
        del request
        return JSONResponse(document([operation for operation, _ in OPERATIONS], Problem))

    async def _said(self, request: Request, word: Word) -> Response:
        if request.headers.get("sec-fetch-site", "none") not in OWN_SITE:
            raise HTTPException(403, "a page of another site may not ask for this")
        if not tokens.matches(request.headers.get("authorization", ""), self._desk.token):
            raise HTTPException(401, "this needs `Authorization: Bearer TOKEN`", headers={"WWW-Authenticate": "Bearer"})
        asked = await _body(request, PauseRequest)
        view = self._view()
        if not known(view, asked.subject, word):
            raise HTTPException(404, f"there is no app VM, service or cloud VM {asked.subject!r}; see /api/v1/status")
        receipt = self._desk.say(word, subject=asked.subject, who=asked.who, why=asked.why)
        taken = await run_in_threadpool(receipt.wait, TAKEN_WITHIN_S)
        return _answer(Accepted(word=str(word), subject=asked.subject, taken=taken), 202)

    def _view(self) -> View:
        view = self._desk.observatory.view
        if view is None:
            raise HTTPException(409, "the first tick has not ended yet; try again", headers=RETRY_AFTER)
        return view


def not_ready(view: View | None) -> str:
    """Why the controller does not manage the cluster yet; empty = it does."""
    if view is None or view.state.history.at is None:
        return "nothing was observed yet"
    if view.state.policy is None:
        return "no policy is loaded"
    snapshot, fresh_s = view.snapshot, view.state.policy.limits.fresh_s
    if len(snapshot.app_vms) and float(snapshot.age_s.min()) > fresh_s:
        return f"the newest sample is {float(snapshot.age_s.min()):.0f} s old, limit {fresh_s:.0f} s"
    return ""


def known(view: View, subject: str, word: Word) -> bool:
    """Whether there is such a subject; what is paused or stuck can be resumed even when it is gone."""
    inventory, state = view.snapshot.inventory, view.state
    if word is Word.RESUME and (subject in state.paused or subject in state.stuck):
        return True
    return not subject or any(
        subject in index for index in (inventory.app_row, inventory.service_index, inventory.cloud_row)
    )


def application(desk: Desk) -> Starlette:
    """The ASGI application."""
    endpoints = Endpoints(desk)
    handlers: dict[Any, Callable[[Request, Exception], Any]] = {
        HTTPException: _problem,
        FlexCapsuleError: _refused,
        Exception: _bug,
    }
    return Starlette(
        routes=[
            Route(operation.path, getattr(endpoints, name), methods=[operation.method.upper()])
            for operation, name in OPERATIONS
        ]
        + watch.routes(lambda: desk.observatory.view),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(desk.hosts), www_redirect=False)],
        exception_handlers=handlers,
    )


async def _body(request: Request, kind: type[PauseRequest]) -> PauseRequest:
    """The request's body as `kind`; 413 before more than the limit is read, 422 where it is not such a document."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise HTTPException(413, f"the body is over {BODY_LIMIT_BYTES} bytes")
    try:
        return kind.model_validate_json(body or b"{}", strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{where or 'body'}: {first['msg']}") from error


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(LIST_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LIST_LIMIT):
        raise HTTPException(422, f"limit: a whole number from 1 to {LIST_LIMIT} was expected")
    return int(text)


def _answer(report: BaseModel, status: int = 200) -> Response:
    return Response(report.model_dump_json(), status, media_type="application/json")


def _problem(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    content = Problem(title=HTTPStatus(error.status_code).phrase, status=error.status_code, detail=error.detail)
    return Response(content.model_dump_json(), error.status_code, dict(error.headers or {}), media_type=PROBLEM)


def _refused(request: Request, error: Exception) -> Response:
    """What the journal says no to: there is no such decision; or it cannot be read, which is not the caller's fault."""
    status = HTTPStatus.NOT_FOUND if isinstance(error, UsageError) else HTTPStatus.SERVICE_UNAVAILABLE
    return _problem(request, HTTPException(status, str(error)))


def _bug(request: Request, error: Exception) -> Response:
    """Only for defects of ours; the server's log has the traceback."""
    del request, error
    content = Problem(title="Internal Server Error", status=500, detail="a defect; see the controller's log")
    return Response(content.model_dump_json(), 500, media_type=PROBLEM)
