"""Every query of every panel, against a real Prometheus that scrapes a controller at work: no error, and something to draw."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from demo import Demo

ROOT = Path(__file__).parents[3]
BOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
MEANWHILE_S = 60.0  # until the example's world has migrated something

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="there is no prometheus here (Debian package `prometheus`)"
    ),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        running.wait("rate(flexcapsule_migration_taken_seconds_total[30s]) > 0", MEANWHILE_S)
        yield running


def queries(board: Path) -> list[tuple[str, str]]:
    panels = json.loads(board.read_text("utf-8"))["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


def asked(expression: str) -> str:
    """As Grafana would ask for it: all controllers, and a range of four scrapes or more."""
    return expression.replace("$__rate_interval", "30s").replace("$instance", ".+")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_has_something_to_show(demo, board):
    found = queries(board)
    assert len(found) >= 8
    empty = [(title, expression) for title, expression in found if not demo.query(asked(expression))]
    assert empty == []


def test_a_migrations_dot_leads_to_its_decision(demo):
    """From Prometheus' exemplar to the story over HTTP, as an operator's click goes."""
    import httpx

    now = float(demo.query("time()")[1])
    asked = {"query": "flexcapsule_migration_downtime_seconds_bucket", "start": now - 600, "end": now + 60}
    found = httpx.get(f"{demo.prometheus_url}/api/v1/query_exemplars", params=asked).json()["data"]
    labels = found[0]["exemplars"][-1]["labels"]
    story = httpx.get(f"{demo.controller_url}/api/v1/decisions/{labels['decision']}").json()
    step = next(step for step in story["plan"]["steps"] if step["id"] == labels["step"])
    assert (step["kind"], step["details"]["app_vm"]) == ("migrate", labels["subject"])


def test_regret_of_an_hour_reaches_prometheus(demo):
    demo.wait(
        'flexcapsule_judged_hours_total{outcome="judged"} > 0 and on () (flexcapsule_regret_price_per_hour > -1)',
        MEANWHILE_S,
    )


def test_the_rules_are_loaded_and_none_fails(demo):
    import httpx

    groups = httpx.get(f"{demo.prometheus_url}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 21
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError")] == []
