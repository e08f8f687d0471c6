"""Alerts fire where a real controller has the trouble they are about: faults in the simulated cluster, the shipped rules, no wait.

Only the rules' patience is shortened (an hour's range becomes seconds, three minutes of a hanging loop too); what they ask for is
not touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from demo import RULES, Demo, free_port

TOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus here (Debian package `prometheus`)"),
]
SHORT = {"1h": "8s", "5m": "8s", "15m": "60s"}
HANGS = ("flexcapsule_journal_lag_seconds > 180", "flexcapsule_journal_lag_seconds > 5")

CATALOGUE = [{"name": "large", "cores": 8, "memory": "16GiB", "price_per_hour": 0.4}]
# `web` is asked for much more and much less every ten minutes; the network is a tenth of what the policy reckons with, and
# `store` dirties memory fast, so that it pauses for longer than predicted when it is moved.
RESTLESS = {
    "catalogue": CATALOGUE,
    "cloud_vms": [{"id": f"cloud-{n}", "size": "large"} for n in (1, 2, 3)],
    "services": [
        {
            "id": "web", "replicas": 1, "max_replicas": 9, "memory": "128MiB", "on": ["cloud-1"],
            "demand": {"base_cores": 0.5, "burst_cores": 3, "burst_period": "20m", "burst": 0.5},
        },
        {"id": "starved", "replicas": 1, "max_replicas": 1, "on": ["cloud-1"], "demand": {"base_cores": 3}},
        {
            "id": "store", "replicas": 1, "max_replicas": 1, "memory": "2GiB", "downtime_budget": "3s", "on": ["cloud-2"],
            "demand": {"base_cores": 0.2}, "behaviour": {"dirty_per_core": "100MiB/s"},
        },
    ],
    "timing": {"bandwidth": "0.16Gbit/s"},
}  # fmt: skip
RESTLESS_POLICY = {
    "name": "restless",
    "strategy": {
        "name": "composite",
        "replicas": {"name": "target_tracking", "cpu_target": "60%"},
        "placement": {"name": "consolidate"},
    },
    "limits": {
        "cooldown": {"serving": "0s", "saving": "0s"},
        "stabilization": {"serving": "0s", "saving": "0s"},
        "budgets": [{"actions": "scale_in", "count": 3, "per": "40m"}],
        "migration": {"bandwidth": "10Gbit/s"},
        "worth_it": {"k": "none"},
    },
}


def hurried(folder: Path) -> Path:
    """The shipped rules with short ranges and no `for`."""
    rules = yaml.safe_load(RULES.read_text("utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
            shortened = re.sub(r"\[(\w+)\]", lambda found: f"[{SHORT.get(found[1], found[1])}]", rule["expr"])
            rule["expr"] = shortened.replace(*HANGS)
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump(rules))
    return path


def trouble(folder: Path, world: dict, policy: str | dict, **more) -> Demo:
    (folder / "world.yaml").write_text(yaml.safe_dump(world))
    if isinstance(policy, dict):
        (folder / "policy.yaml").write_text(yaml.safe_dump(policy))
        policy = str(folder / "policy.yaml")
    settings = {"policy": policy, "cluster": {"simulated": {"world": str(folder / "world.yaml")}}, "pace": "288x"}
    return Demo(folder, settings, rules=hurried(folder), **more)


def fires(demo: Demo, *alerts: str, within_s: float = 60.0) -> None:
    for alert in alerts:
        demo.wait(f'ALERTS{{alertname="FlexCapsule{alert}",alertstate="firing"}}', within_s)


def test_a_restless_cluster_and_a_policy_that_follows_it_everywhere(tmp_path):
    closed = f"127.0.0.1:{free_port()}"
    with trouble(tmp_path, RESTLESS, RESTLESS_POLICY, targets={"flexcapsule-agent": closed}) as demo:
        fires(
            demo,
            "AgentDown",
            "UnservedDemand",
            "ServiceSaturated",
            "DowntimeAboveBudget",
            "Oscillation",
            "BudgetExhausted",
        )
        assert demo.query('ALERTS{alertname="FlexCapsuleControllerAbsent"}') == []
        (tmp_path / "policy.yaml").write_text("name: restless\nstrategy: {name: compsite}\n")
        fires(demo, "PolicyRefused")
        demo.controller.end()
        fires(demo, "ControllerAbsent")


def test_a_cluster_whose_samples_are_lost(tmp_path):
    world = {**RESTLESS, "faults": {"lost_sample_probability": 1}}
    with trouble(tmp_path, world, "balanced") as demo:
        fires(demo, "MetricsStale", "SomeMetricsStale")


def test_a_cluster_in_which_undoing_fails_too(tmp_path):
    world = {**RESTLESS, "faults": {"failed_step_probability": 0.6}}
    with trouble(tmp_path, world, RESTLESS_POLICY) as demo:
        fires(demo, "Stuck")


def test_a_cluster_that_does_not_answer(tmp_path):
    world = {**RESTLESS, "faults": {"silent_probability": 0.5}}
    with trouble(tmp_path, world, "balanced") as demo:
        fires(demo, "SourceSilent")


def test_a_file_system_that_does_not_come_back(tmp_path):
    """The loop reads its policy's file again, and the read does not return: as on a network disk that is away."""
    with trouble(tmp_path, RESTLESS, RESTLESS_POLICY) as demo:
        policy, stuck = tmp_path / "policy.yaml", tmp_path / "away"
        os.mkfifo(stuck)
        text = policy.read_text()
        stuck.replace(policy)
        fires(demo, "LoopHangs")
        assert httpx.get(f"{demo.controller_url}/healthz").status_code in {200, 503}, "HTTP answers all the while"
        policy.write_text(text)  # it is back: the read returns, and the loop goes on
        demo.wait("flexcapsule_journal_lag_seconds < 3")


def test_a_plan_whose_bound_is_far_away(tmp_path):
    """Replicas that keep apart need a cloud VM each; the bound, which counts cores and memory, knows nothing of that."""
    service = {"id": "web", "replicas": 12, "min_replicas": 12, "max_replicas": 12, "apart_from": ["web"]}
    world = {
        "catalogue": [*CATALOGUE, {"name": "small", "cores": 2, "memory": "4GiB", "price_per_hour": 0.12}],
        "cloud_vms": [{"id": f"cloud-{n}", "size": "large"} for n in range(12)],
        "services": [{**service, "demand": {"base_cores": 1}}],
    }
    eager = {"cooldown": {"saving": "0s"}, "stabilization": {"saving": "0s"}, "worth_it": {"k": "none"}}
    with trouble(tmp_path, world, {"name": "eager", "strategy": {"name": "optimal"}, "limits": eager}) as demo:
        fires(demo, "PlanGap")


@pytest.mark.parametrize("call", [("check", "rules"), ("check", "config"), ("test", "rules")], ids=" ".join)
def test_promtool_is_content(call):
    file = {
        "check rules": "flexcapsule.rules.yml",
        "check config": "prometheus.yml",
        "test rules": "flexcapsule.rules.test.yml",
    }
    done = subprocess.run(
        [TOOL, *call, file[" ".join(call)]], cwd=RULES.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
