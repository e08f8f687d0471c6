"""The API as its callers see it: documents that fit their schema, and a clear 4xx for whatever else comes in."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from functools import partialmethod
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.adapters import codec
from autoscaler.core.events import Word
from autoscaler.core.history import History
from autoscaler.core.state import EngineState
from autoscaler.telemetry.http import BODY_LIMIT_BYTES, application
from autoscaler.telemetry.operations import OPERATIONS
from autoscaler.telemetry.preview import preview
from autoscaler.telemetry.reports import DecisionList, DecisionReport, PlanPreview
from autoscaler.telemetry.status import StatusReport

AUTHORIZED = {"Authorization": "Bearer " + "t" * 43}


@dataclass(frozen=True)
class Client:
    """Speaks to the application without a socket; a defect in a handler is raised here, not answered."""

    desk: Any
    base_url: str = "http://127.0.0.1"

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(application(self.desk))
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
                return await client.request(method, path, **more)

        return asyncio.run(go())

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    delete = partialmethod(request, "DELETE")


@pytest.fixture
def client(running: Any) -> Client:
    return Client(running.desk)


def test_status_says_what_is_there_and_what_it_costs(client: Client) -> None:
    status = StatusReport.model_validate_json(client.get("/api/v1/status").content)
    assert [(c.id, c.size, c.state) for c in status.cloud_vms] == [("a", "small", "active"), ("b", "small", "active")]
    assert {service.id: service.replicas for service in status.services} == {"web": 4, "db": 1}
    assert status.price_per_hour == 1.0
    assert status.policy is not None
    assert status.policy.name == "both"
    assert status.last is not None
    assert status.last.denied == ["scale_out web: replicas", "scale_in db: replicas"]


def test_decisions_are_listed_newest_first_and_paged(client: Client) -> None:
    page = DecisionList.model_validate_json(client.get("/api/v1/decisions?limit=2").content)
    assert [decision.id for decision in page.decisions] == ["d5", "d3"]
    assert page.next_before == "d3"
    rest = DecisionList.model_validate_json(client.get("/api/v1/decisions?limit=2&before=d3").content)
    assert [decision.id for decision in rest.decisions] == ["d1"]
    assert rest.next_before is None


def test_a_decision_tells_every_reason(client: Client) -> None:
    decision = DecisionReport.model_validate_json(client.get("/api/v1/decisions/d1").content)
    assert decision.granted[0].action == "scale_out"
    assert decision.granted[0].evidence == {"load": 0.9}
    assert [step.kind for step in decision.plan.steps] == ["start_app_vm"] if decision.plan else False
    denial = decision.denied[0].denials[0]
    assert denial.guard == "replicas"
    assert denial.reason
    assert denial.relax


def test_a_plan_is_a_decision_that_nothing_comes_of(client: Client, running: Any) -> None:
    before = running.engine.state.totals.decisions, len(running.journal.records)
    plan = PlanPreview.model_validate_json(client.get("/api/v1/plan").content)
    assert [p.guard for denied in plan.decision.denied for p in denied.denials][:1] == ["replicas"]
    assert plan.objective.price_per_hour_before == plan.objective.price_per_hour_after == 1.0
    assert (running.engine.state.totals.decisions, len(running.journal.records)) == before


def test_the_state_is_sent_whole_and_decides_and_certifies_elsewhere_as_here(client: Client, running: Any) -> None:
    document = client.get("/api/v1/state").json()
    state = codec.loads(json.dumps(document["state"]), EngineState)
    here_state = running.desk.observatory.view.state
    assert codec.dumps(state.history, History) == codec.dumps(here_state.history, History)
    assert state.policy == here_state.policy
    there, here = preview(state, running.desk.toolbox), PlanPreview.model_validate(client.get("/api/v1/plan").json())
    assert there == here


def test_pausing_leaves_a_word_for_the_loop(client: Client, running: Any) -> None:
    answer = client.post("/api/v1/pause", json={"subject": "web", "why": "release", "who": "ann"}, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()) == (202, {"word": "pause", "subject": "web", "taken": True})
    client.post("/api/v1/resume", content=b"", headers=AUTHORIZED)
    assert running.said == [(Word.PAUSE, "web", "ann", "release"), (Word.RESUME, "", "api", "")]


def test_a_loop_that_is_busy_is_not_waited_for(client: Client) -> None:
    answer = client.post("/api/v1/pause", json={"subject": "db"}, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["taken"]) == (202, False)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer ", "Bearer x", "bearer " + "t" * 43, "Basic dDp0", "t" * 43, "Bearer " + "t" * 44, b"Bearer \xff\xfe"],
)
def test_nothing_changes_without_the_token(client: Client, running: Any, header: Any) -> None:
    answer = client.post("/api/v1/pause", json={}, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert running.said == []


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 422, "body: Invalid JSON"),
        (b"[]", 422, "object"),
        (b"null", 422, "object"),
        (b"\xff\xfe", 422, "body"),
        (b'{"subject": 7}', 422, "subject: Input should be a valid string"),
        (b'{"subjekt": "web"}', 422, "subjekt: Extra inputs are not permitted"),
        (b'{"subject": "nobody"}', 404, "no app VM, service or cloud VM 'nobody'"),
        (b'{"why": "' + b"x" * 2000 + b'"}', 422, "why"),
        (b'{"why": "' + b"x" * BODY_LIMIT_BYTES + b'"}', 413, f"over {BODY_LIMIT_BYTES} bytes"),
        (b"[" * 10_000, 422, "body"),
    ],
)
def test_a_body_that_is_wrong_gets_a_problem_that_says_so(
    client: Client, running: Any, body: bytes, status: int, says: str
) -> None:
    answer = client.post("/api/v1/pause", content=body, headers=AUTHORIZED)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert running.said == []


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "9" * 400, "x", "1.5", "٣", ""])
def test_a_limit_that_is_wrong_gets_a_problem(client: Client, limit: str) -> None:
    answer = client.get("/api/v1/decisions", params={"limit": limit})
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


def test_what_is_not_there_and_methods_that_are_not_there(client: Client) -> None:
    assert client.get("/api/v1/decisions/d999").status_code == 404
    assert client.get("/api/v1/decisions?before=d999").status_code == 404
    assert client.get("/etc/passwd").status_code == 404
    assert client.delete("/api/v1/status").status_code == 405
    assert client.get("/api/v1/pause").status_code == 405


def test_before_the_first_tick_it_is_alive_and_not_ready(controller: Any) -> None:
    client = Client(controller.desk)
    assert client.get("/healthz").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "nothing was observed yet\n")
    assert client.get("/api/v1/status").status_code == 409
    assert client.get("/metrics").status_code == 200


def test_health_follows_the_loop(client: Client, running: Any) -> None:
    assert client.get("/readyz").text == "ready\n"
    running.timer["now"] += 61.0
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (503, "no tick for 61 s\n")


def test_metrics_speak_both_formats(client: Client) -> None:
    plain = client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    openmetrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x", "text/plain; version=1.x.\u0663", ";;;,="]
)
def test_a_format_that_makes_no_sense_gets_the_plain_one(client: Client, accept: str) -> None:
    answer = client.get("/metrics", headers={"Accept": accept.encode()})
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_page_that_rebinds_its_name_to_loopback_reads_nothing(running: Any) -> None:
    desk = replace(running.desk, hosts=("127.0.0.1", "localhost"))
    client = Client(desk, "http://evil.example")
    assert client.get("/api/v1/status").status_code == 400


def test_the_openapi_document_is_the_table_of_operations(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {(m, p) for p, methods in document["paths"].items() for m in methods} == {
        (operation.method, operation.path) for operation, _ in OPERATIONS
    }
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert document["paths"]["/api/v1/pause"]["post"]["security"] == [{"token": []}]


PATHS = [operation.path for operation, _ in OPERATIONS]
LETTERS = st.text(max_size=40)
GARBAGE = st.one_of(st.sampled_from(PATHS), LETTERS.map(lambda text: "/api/v1/decisions/" + text), LETTERS)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    path=GARBAGE.map(quote),
    query=st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=3),
    body=st.binary(max_size=200),
    token=st.booleans(),
)
def test_no_garbage_gets_a_5xx(client: Client, method: str, path: str, query: Any, body: bytes, token: bool) -> None:
    headers = AUTHORIZED if token else {}
    path = "/" + path.lstrip("/")
    assert client.request(method, path, params=query, content=body, headers=headers).status_code < 500
