"""The status document: the mode is the run's, and a second policy's differences stand in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
