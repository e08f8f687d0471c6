"""What Prometheus is told is what the engine did, and the README's list of metrics is true both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from autoscaler.errors import SourceError
from autoscaler.telemetry.collector import registry_of
from autoscaler.telemetry.exposition import LATELY_S, Exposition

README = Path(__file__).parents[3] / "README.md"
UNITS = (
    "_seconds",
    "_ratio",
    "_bytes",
    "_cores",
    "_total",
    "_info",
    "_per_hour",
    "_vms",
    "_subjects",
    "_in_flight",
    "_number",
)


def sample(registry: CollectorRegistry, metric: str, **labels: str) -> float | None:
    return registry.get_sample_value(metric, labels)


def test_before_the_first_tick_there_is_build_info_and_no_guess(controller: Any) -> None:
    registry = registry_of(controller.observatory)
    assert b"flexcapsule_build_info" in generate_latest(registry)
    assert sample(registry, "flexcapsule_price_per_hour") is None


def test_the_figures_are_the_engines(running: Any) -> None:
    registry = registry_of(running.observatory)
    totals = running.engine.state.totals
    assert sample(registry, "flexcapsule_decisions_total", outcome="judged") == totals.decisions == 3
    assert sample(registry, "flexcapsule_actions_total", action="scale_out", outcome="granted") == 2
    assert sample(registry, "flexcapsule_actions_total", action="scale_in", outcome="denied") == 3
    assert sample(registry, "flexcapsule_denials_total", guard="replicas") == 4  # a third `web`, too
    assert sample(registry, "flexcapsule_steps_total", kind="start_app_vm", outcome="done") == 2
    assert sample(registry, "flexcapsule_step_duration_seconds_count", kind="start_app_vm") == 2
    assert sample(registry, "flexcapsule_price_per_hour") == 1.0
    assert sample(registry, "flexcapsule_cost_total") == totals.cost > 0
    assert sample(registry, "flexcapsule_cloud_vms", size="small", state="active") == 2
    assert sample(registry, "flexcapsule_cpu_capacity_cores", size="small") == 4
    assert sample(registry, "flexcapsule_app_vms", service="db") == 1
    assert sample(registry, "flexcapsule_memory_allocated_bytes", service="db") == 512 << 20
    assert sample(registry, "flexcapsule_tick_duration_seconds_count") == 3
    assert sample(registry, "flexcapsule_policy_info", name="both", digest="abc", mode="live") == 1


def test_what_has_not_happened_yet_is_zero_not_absent(running: Any) -> None:
    registry = registry_of(running.observatory)
    assert sample(registry, "flexcapsule_actions_total", action="separate", outcome="stuck") == 0
    assert sample(registry, "flexcapsule_steps_total", kind="migrate", outcome="failed") == 0
    assert sample(registry, "flexcapsule_denials_total", guard="cooldown") == 0
    assert sample(registry, "flexcapsule_policy_reloads_total", outcome="refused") == 0


def test_a_loop_that_hangs_is_seen(running: Any) -> None:
    exposition = Exposition(running.observatory)
    assert b"flexcapsule_journal_lag_seconds 0.0" in exposition.text("")[0]
    running.timer["now"] += 42.0
    assert b"flexcapsule_journal_lag_seconds 42.0" in exposition.text("")[0]


def test_a_source_that_is_silent_is_counted(running: Any) -> None:
    running.observatory.silent(0.0, SourceError("gone"))
    assert sample(registry_of(running.observatory), "flexcapsule_source_errors_total") == 1


def test_a_published_view_does_not_change_while_the_loop_goes_on(running: Any) -> None:
    view = running.observatory.view
    before = view.state.totals.decisions, len(view.snapshot.app_vms), view.state.decided_at
    running.run(minutes=2)
    assert (view.state.totals.decisions, len(view.snapshot.app_vms), view.state.decided_at) == before
    assert running.observatory.view.state.totals.decisions == 5


def exported(controller: Any) -> dict[str, tuple[str, str]]:
    """Metric -> (its labels, its type), as a scraper sees them."""
    found = {}
    for family in text_string_to_metric_families(Exposition(controller.observatory).text("")[0].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
        found[name] = (", ".join(labels), family.type)
    return found


def test_names_follow_prometheus(running: Any) -> None:
    for name in exported(running):
        assert re.fullmatch(r"flexcapsule_[a-z]+(_[a-z]+)*", name)
        assert name.endswith(UNITS), name


def test_the_readme_lists_every_metric_with_its_labels_and_no_other(running: Any) -> None:
    rows = re.findall(
        r"^\| `(flexcapsule_\w+)` \| ([a-z, ]*) \| (\w+) \|", README.read_text("utf-8"), flags=re.MULTILINE
    )
    assert {name: (labels.strip(), kind) for name, labels, kind in rows} == exported(running)


@dataclass(eq=False)
class Counted(Collector):
    """How often it was asked."""

    asked: int = 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        return iter(())


def test_a_scrape_in_a_turn_is_handed_what_was_written_after_the_one_before(running: Any) -> None:
    counted, exposition = Counted(), Exposition(running.observatory)
    exposition._registry.register(counted)
    for _ in range(3):
        exposition.text("")
    assert counted.asked == 1
    running.run(minutes=1)
    assert counted.asked == 2, "written anew after the turn"
    text = exposition.text("")[0]
    assert counted.asked == 2
    assert b'flexcapsule_decisions_total{outcome="judged"} 4.0' in text
    running.timer["now"] += LATELY_S + 1.0
    running.run(minutes=1)
    assert counted.asked == 2, "nobody has asked for long"


def test_openmetrics_put_together_ends_once(running: Any) -> None:
    text, kind = Exposition(running.observatory).text("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert (text.count(b"# EOF"), text.endswith(b"# EOF\n")) == (1, True)
    names = {family.name for family in openmetrics(text.decode())}
    assert {"flexcapsule_journal_lag_seconds", "flexcapsule_decisions"} <= names


def test_placement_is_told_in_few_series(running: Any) -> None:
    registry = registry_of(running.observatory)
    assert sample(registry, "flexcapsule_hosted_app_vms", size="small") == 5
    bands = [sample(registry, "flexcapsule_filled_cloud_vms", memory=band) for band in ("0%", "1-25%", "26-50%")]
    assert bands == [0, 1, 1]  # two of 256 MiB and one of 512 MiB; two of 256 MiB: of 4 GiB each
