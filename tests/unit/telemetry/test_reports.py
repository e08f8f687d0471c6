"""Reports are JSON for every reader: no number in them that JSON lacks, and times that read alike everywhere."""

from __future__ import annotations

import math

import pytest

from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.proposals import Move, ScaleIn, Separate
from autoscaler.telemetry.reports import DecisionReport, decision_brief, decision_report, proposal_report, time_text


def test_what_json_lacks_is_null() -> None:
    wish = ScaleIn("web", "web-1", "idle", {"load": math.nan, "price": math.inf, "replicas": 2})
    audit = AuditRecord(
        Decision("d1", 0.0, "p", denied=(Denied(wish, (Denial("replicas", "few"),)),)), None, {"x": math.nan}
    )
    report = decision_report(audit)
    assert report.denied[0].proposal.evidence == {"load": None, "price": None, "replicas": 2.0}
    assert report.inputs == {"x": None}
    assert DecisionReport.model_validate_json(report.model_dump_json()) == report


def test_a_wish_says_exactly_what_is_wanted() -> None:
    wish = Separate("c1", (Move("web-1", "c2"), Move("web-2", None)), "hot", new_size="small")
    report = proposal_report(wish)
    assert (report.action, report.about) == ("separate", "c1")
    assert report.wanted == {
        "cloud_vm": "c1",
        "moves": [{"app_vm": "web-1", "target": "c2"}, {"app_vm": "web-2", "target": None}],
        "new_size": "small",
    }


def test_a_brief_is_one_line_per_wish() -> None:
    denied = Denied(ScaleIn("web", "web-1", "idle"), (Denial("cooldown", "soon"), Denial("budget", "used")))
    brief = decision_brief(AuditRecord(Decision("d1", 0.0, "p", denied=(denied,)), None))
    assert brief.denied == ["scale_in web: cooldown"]


@pytest.mark.parametrize(
    ("at", "text"),
    [(0.0, "1970-01-01T00:00:00Z"), (1767571260.5, "2026-01-05T00:01:00.500Z"), (0.9999999, "1970-01-01T00:00:01Z")],
)
def test_times_are_utc_to_the_millisecond_where_it_matters(at: float, text: str) -> None:
    assert time_text(at) == text
