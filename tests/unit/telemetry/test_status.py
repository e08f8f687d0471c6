"""The status document: the mode is the run's, and a second policy's differences stand in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.cli.status import head
from autoscaler.core.correction import Correction
from autoscaler.core.migration import Prediction
from autoscaler.core.policy import Mode
from autoscaler.telemetry.status import status_report
from autoscaler.telemetry.view import Beside


def test_a_live_policy_in_a_shadow_run_is_not_called_live(running: Any) -> None:
    report = status_report(replace(running.observatory.view, mode=Mode.SHADOW))
    assert report.policy is not None
    assert report.policy.mode == "shadow"


def test_where_a_second_policy_differs(running: Any) -> None:
    beside = Beside("two", agreed=5, differed=1, last_at=1767571260.0, only_second=("scale_in db",))
    report = status_report(replace(running.observatory.view, beside=beside))
    assert report.second_policy is not None
    assert (report.second_policy.agreed, report.second_policy.differed) == (5, 1)
    assert report.second_policy.last_at == "2026-01-05T00:01:00Z"
    assert report.second_policy.only_second == ["scale_in db"]


def test_without_a_second_policy_nothing_is_made_up(running: Any) -> None:
    assert status_report(running.observatory.view).second_policy is None


def test_what_is_paused_and_what_waits_for_a_person_is_told_with_why(running: Any) -> None:
    view = running.observatory.view
    state = replace(view.state, paused={"": "release"}, stuck={"db": "undo failed"})
    report = status_report(replace(view, state=state))
    assert [(held.subject, held.why) for held in report.paused] == [("", "release")]
    assert [(held.subject, held.why) for held in report.stuck] == [("db", "undo failed")]


def test_what_migrations_took_beside_the_model_is_told_as_soon_as_one_was_measured(running: Any) -> None:
    view = running.observatory.view
    assert not any("the model says" in line for line in head(status_report(view)))
    slow = Correction()
    for _ in range(4):
        slow = slow.learned(Prediction(2.0, 0.2, 1e6), Prediction(3.0, 0.6, 1e6))
    report = status_report(replace(view, state=replace(view.state, correction=slow)))
    assert report.migrations.model_dump() == {
        "measured": 4, "total_ratio": 1.5, "downtime_ratio": pytest.approx(3.0), "bytes_ratio": 1.0,
    }  # fmt: skip
    assert (
        "migrations take 1.50 times as long as the model says and pause 3.00 times as long (4 migrations measured); "
        "plans reckon with that"
    ) in list(head(report))
