"""From a figure to its decision: exemplars name the step, numbers the newest decisions, and no series is added by either."""

from __future__ import annotations

import math
from typing import Any

import pytest
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from autoscaler.core.events import Execute, Outcome, StepEnded
from autoscaler.core.steps import Migrate, Step
from autoscaler.core.totals import BUCKETS_S
from autoscaler.telemetry.collector import registry_of
from autoscaler.telemetry.trail import DOWNTIME, Trail, decision_of, number_of


@pytest.mark.parametrize(
    ("id_", "number"),
    [
        ("d118", 118),
        ("e118", 118),
        ("p118", 118),
        ("p118.s3", 118),
        ("p118.s3.undo", 118),
        ("118", 118),
        ("e118.2", 118),
    ]
    + [(word, None) for word in ("", "web-3", "dd1", "d", "d1x", "d١")],
)
def test_the_number_of_an_id(id_, number):
    assert number_of(id_) == number


def test_a_step_names_its_decision():
    assert decision_of("p12.s3") == "d12"


def test_the_newest_decisions_are_numbers(running: Any) -> None:
    registry = registry_of(running.observatory)
    shown = {w: registry.get_sample_value("flexcapsule_decision_number", {"which": w}) for w in ("newest", "acting")}
    assert shown == {"newest": 5.0, "acting": 3.0}  # the third decision grants nothing
    assert math.isnan(Trail().newest)


def test_openmetrics_has_an_exemplar_where_a_step_was_done(running: Any) -> None:
    text = generate_latest(registry_of(running.observatory)).decode()
    found = {
        sample.exemplar.labels["step"]: sample.exemplar.labels
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert found == {"p3.s1": {"decision": "d3", "step": "p3.s1", "subject": "web-3-1"}}


def migrated(trail: Trail, app_vm: str, outcome: Outcome = Outcome.DONE) -> None:
    step = Step("p7.s1", Migrate(app_vm, "a", "b"))
    trail(0.0, StepEnded(0.0, "other", Outcome.DONE), [Execute(step, "e7", "e7.1")])
    trail(0.0, StepEnded(0.0, "p7.s1", outcome, total_s=1.5, downtime_s=0.15), [])


def test_a_migration_has_one_for_its_pause_too_and_a_failed_one_none():
    trail = Trail()
    migrated(trail, "web-1", Outcome.FAILED)
    assert all(trail.exemplar("migrate", bucket) is None for bucket in range(len(BUCKETS_S)))
    migrated(trail, "web-1")
    downtime = trail.exemplar(DOWNTIME, BUCKETS_S.index(0.2))
    assert downtime is not None
    assert (downtime.value, downtime.labels["subject"]) == (0.15, "web-1")
    assert trail.exemplar("migrate", BUCKETS_S.index(2.0)) is not None


def test_a_name_too_long_for_an_exemplar_is_left_out():
    trail = Trail()
    migrated(trail, "w" * 120)
    exemplar = trail.exemplar(DOWNTIME, BUCKETS_S.index(0.2))
    assert exemplar is not None
    assert exemplar.labels == {"decision": "d7", "step": "p7.s1"}
