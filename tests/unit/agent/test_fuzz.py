"""The agent's API, fuzzed from its own OpenAPI document and with bytes that follow none: no defect is ever answered (500), and
the agent is there afterwards. The same examples every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from agent_caller import UUID, Caller, spec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from autoscaler.agent.descriptions import read_step_request
from autoscaler.agent.hypervisor import Files
from autoscaler.agent.openapi import DOCUMENT
from autoscaler.agent.xen import configuration
from autoscaler.errors import UsageError

BOUNDED = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
WITHOUT_END = "/v1/app-vms/{uuid}/wait"  # of an app VM that runs: the answer is its end
METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]
PLACES = ["/v1/steps/{}", "/v1/app-vms/{}/logs", "/v1/images/{}", "/{}", f"/v1/app-vms/{UUID}/logs?tail={{}}"]
TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def sent(agent: Caller, case: Any) -> None:
    body = {} if isinstance(case.body, schemathesis.core.NotSet) else _body(case.body)
    answer = agent.client.request(case.method, case.formatted_path, params=dict(case.query or {}), **body)
    assert answer.status_code != 500, answer.text
    if answer.status_code >= 400 and case.method != "HEAD":
        assert answer.json()["error"], "every refusal says why"


def _body(body: Any) -> dict[str, Any]:
    return {"content": body} if isinstance(body, bytes) else {"json": body}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_whatever_is_sent_there_is_no_defect(agent: Caller, mode: GenerationMode) -> None:
    agent.start()
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    operations = [found.ok() for found in schema.get_all_operations() if found.ok().path != WITHOUT_END]
    assert len(operations) >= 15

    @BOUNDED
    @given(data=st.data(), operation=st.sampled_from(operations))
    def send(data: Any, operation: Any) -> None:
        sent(agent, data.draw(operation.as_strategy(mode)))

    send()
    agent.rest()
    assert agent.report()["state"] in ("running", "paused", "stopped", "saved")
    assert not [line for line in agent.rehearsal.lines if "Traceback" in line]


@BOUNDED
@given(change=st.dictionaries(st.sampled_from([*spec(), "cores", "environment", "arguments", "labels", "files"]), JSON))
def test_any_description_of_an_app_vm_is_taken_or_refused_by_name(change: dict[str, Any]) -> None:
    try:
        read = read_step_request({"kind": "start", "spec": {**spec(), **change}})
        assert read.spec is not None
        text = configuration(read.spec, Files(Path("/images/it")))
    except UsageError:
        return
    assert all(line.count(" = ") >= 1 and line.isprintable() for line in text.splitlines())


def test_any_path_and_bytes(agent: Caller) -> None:
    agent.start()

    @BOUNDED
    @given(method=st.sampled_from(METHODS), path=TEXT, body=st.binary(max_size=200))
    def send(method: str, path: str, body: bytes) -> None:
        for place in PLACES:
            try:
                answer = agent.client.request(method, place.format(path), content=body)
            except httpx.InvalidURL:
                continue
            assert answer.status_code != 500, answer.text

    send()
    assert agent.report()["state"] == "running"
