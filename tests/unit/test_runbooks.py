"""Alerts and runbooks tell the same story: every alert has a section that says what it means and what to do, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deploy/prometheus/flexcapsule.rules.yml").read_text("utf-8"))
TESTS = yaml.safe_load((ROOT / "deploy/prometheus/flexcapsule.rules.test.yml").read_text("utf-8"))
ALERTS: dict[str, Any] = {
    rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule
}
SECTIONS = dict(
    re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", (ROOT / "docs/runbooks.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
)


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert list(SECTIONS) == list(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_names_its_section_and_what_it_is_worth_getting_up_for(alert: str) -> None:
    annotations = ALERTS[alert]["annotations"]
    assert annotations["runbook"] == f"docs/runbooks.md#{alert.lower()}"
    assert annotations["summary"].endswith(".")
    assert ALERTS[alert]["labels"]["severity"] in {"page", "ticket"}
    assert "**What it means.**" in SECTIONS[alert]
    assert "**What to do.**" in SECTIONS[alert]


def test_promtool_is_given_a_case_in_which_each_alert_fires() -> None:
    cases = [case for test in TESTS["tests"] for case in test.get("alert_rule_test", ())]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == set(ALERTS)
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == set(ALERTS)


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    documented = set(re.findall(r"^\| `(flexcapsule_\w+)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    asked = {
        name
        for group in RULES["groups"]
        for rule in group["rules"]
        for name in re.findall(r"flexcapsule_\w+", rule["expr"])
    }
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked} <= documented
