"""What the API promises: every operation on one page, with what it takes and answers. OpenAPI and the routes are made from it.

Separate from http.py (how each is answered) because this page is what a client's author reads. Shapes only.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from autoscaler.telemetry.openapi import Operation, Parameters
from autoscaler.telemetry.reports import DecisionList, DecisionReport, PlanPreview, Report
from autoscaler.telemetry.status import StatusReport

LIST_LIMIT = 1000
LIST_DEFAULT = 50


class Problem(Report):
    """RFC 9457: what is wrong, and what to do about it."""

    title: str
    status: int
    detail: str


class PauseRequest(Report):
    """`subject`: an app VM, a service or a cloud VM; empty = the whole cluster."""

    subject: str = Field(default="", max_length=256)
    why: str = Field(default="", max_length=1000)
    who: str = Field(default="api", max_length=256)


class Accepted(Report):
    """`taken`: whether it is in the journal and holds already; if not, it will be with the next tick."""

    word: str
    subject: str
    taken: bool


class StateReport(Report):
    """A checkpoint of the engine, in the journal's form, and the engine's version: only the same one can read it."""

    engine: str
    state: dict[str, Any]


_LIST: Parameters = {
    "limit": (
        "query",
        {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT},
        f"how many, {LIST_DEFAULT} unless told",
    ),
    "before": ("query", {"type": "string"}, "id of a decision: only older ones"),
    "about": (
        "query",
        {"type": "string"},
        "id of an app VM, service or cloud VM: only the newest about it; `before` is ignored",
    ),
}
_ID: Parameters = {"id": ("path", {"type": "string"}, "as in the list of decisions")}
_SECURED = (401, 403, 404, 409, 413, 422)
OPERATIONS: tuple[tuple[Operation, str], ...] = (
    (Operation("get", "/metrics", "Prometheus metrics"), "metrics"),
    (Operation("get", "/healthz", "Whether the loop turns"), "healthz"),
    (Operation("get", "/readyz", "Whether it observes the cluster and has a policy"), "readyz"),
    (Operation("get", "/api/v1/status", "What is believed now", StatusReport, problems=(409,)), "status"),
    (
        Operation(
            "get",
            "/api/v1/decisions",
            "Past decisions, newest first",
            DecisionList,
            problems=(404, 422),
            parameters=_LIST,
        ),
        "decisions",
    ),
    (
        Operation(
            "get",
            "/api/v1/decisions/{id}",
            "One decision with its reasons",
            DecisionReport,
            problems=(404,),
            parameters=_ID,
        ),
        "decision",
    ),
    (
        Operation(
            "get", "/api/v1/plan", "What would be decided now; nothing is carried out", PlanPreview, problems=(409, 429)
        ),
        "plan",
    ),
    (
        Operation(
            "get",
            "/api/v1/state",
            "All that the engine remembers, to decide and check elsewhere",
            StateReport,
            problems=(409,),
        ),
        "state",
    ),
    (Operation("post", "/api/v1/pause", "Leave a subject alone", Accepted, PauseRequest, 202, _SECURED), "pause"),
    (
        Operation(
            "post", "/api/v1/resume", "Manage it again; forgive what is stuck", Accepted, PauseRequest, 202, _SECURED
        ),
        "resume",
    ),
    (Operation("get", "/api/v1/openapi.json", "This document"), "openapi"),
)
