"""The HTTP API, fuzzed from its own OpenAPI document: whatever is sent, nothing is answered with a 5xx, and answers are as described.

Bounded: so many examples per operation, the same ones every time. What the document does not say is test_http.py's part.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from autoscaler.adapters.decisions import JournalReader
from autoscaler.cli.assembly import JOURNAL_FILE
from autoscaler.cli.main import ended
from autoscaler.telemetry.http import application
from autoscaler.telemetry.operations import OPERATIONS

EXAMPLES = 100
DOCUMENT = "/api/v1/openapi.json"
ALWAYS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CHECKS = {
    GenerationMode.POSITIVE: [*ALWAYS, ignored_auth],
    GenerationMode.NEGATIVE: [*ALWAYS, negative_data_rejection],
}
AUTHORIZED = {"Authorization": "Bearer " + "t" * 43}
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real one: what is asked for ends in SQL."""
    place = tmp_path_factory.mktemp("journal")
    (place / "config.yaml").write_text("{}")
    run = ["run", "--config", str(place / "config.yaml"), "--pace", "max", "--ticks", "10", "--json"]
    assert ended([*run, "--journal", str(place)]) == 0
    return place / JOURNAL_FILE


@pytest.fixture
def api(running: Any, journal: Path) -> Any:
    desk = replace(running.desk, archive=JournalReader(journal))
    return schemathesis.openapi.from_asgi(DOCUMENT, application(desk))


@pytest.mark.parametrize("headers", [{}, AUTHORIZED], ids=["stranger", "operator"])
@pytest.mark.parametrize("mode", CHECKS, ids=lambda mode: mode.value)
def test_nothing_that_is_sent_makes_it_fail(api: Any, mode: GenerationMode, headers: dict[str, str]) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    paths = {operation.path for operation, _ in OPERATIONS}
    assert {operation.path for operation in operations} == paths - {DOCUMENT}, "the document itself was read already"

    @BOUNDED
    @given(data=st.data(), operation=st.sampled_from(operations))
    def send(data: Any, operation: Any) -> None:
        case = data.draw(operation.as_strategy(mode))
        case.call_and_validate(headers=headers, checks=CHECKS[mode])

    send()
