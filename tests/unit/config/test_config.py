"""The config: the example is the defaults, paths are relative to the file, worlds are what the simulated cluster starts as."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from autoscaler.config import Config, parse_pace, read_config, read_world, ready_policies, ready_policy, world_of
from autoscaler.errors import PolicyError, UsageError
from autoscaler.policylang.records import key_of
from autoscaler.policylang.tree import parse, plain, read_source
from autoscaler.sim.example import example_scenario
from autoscaler.sim.scenario import Scenario

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config.example.yaml"


def keys(settings) -> dict:
    """The keys of a config, nested, as the settings have them."""
    parts = {key_of(f.name): getattr(settings, f.name) for f in fields(settings)}
    return {key: keys(value) if is_dataclass(value) else None for key, value in parts.items()}


def test_the_example_says_the_defaults(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert read_config("config.example.yaml") == read_config()


def test_the_example_leaves_no_setting_out():
    def nested(document):
        return {key: nested(value) if isinstance(value, dict) else None for key, value in document.items()}

    assert nested(plain(parse(read_source(EXAMPLE)))) == keys(Config())


def test_the_example_says_why_before_every_setting():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [
        n for n, line in enumerate(lines) if line and not line.lstrip().startswith("#") and not line.endswith(":")
    ]
    assert len(settings) == 14
    for number in settings:
        assert lines[number - 1].lstrip().startswith("#"), f"line {number + 1} has no comment before it"


def test_paths_are_relative_to_the_file_and_names_are_not(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "policy: mine/p.yaml\nshadow_policy: calm\njournal: {directory: j}\ncluster: {simulated: {world: w.yaml}}\n"
    )
    config = read_config(file)
    assert config.policy == str(tmp_path / "mine/p.yaml")
    assert config.shadow_policy == str(ready_policy("calm"))
    assert config.journal.directory == str(tmp_path / "j")
    assert config.http.token_file == str(tmp_path / "var/token")
    assert config.cluster.simulated == replace(config.cluster.simulated, world=str(tmp_path / "w.yaml"))


@pytest.mark.parametrize(("text", "pace"), [("real", 1.0), ("max", math.inf), ("288x", 288.0), ("0.5x", 0.5)])
def test_paces(text, pace):
    assert parse_pace(text) == pace


@pytest.mark.parametrize("text", ["", "fast", "120", "0x", "-3x", "1e9x", "x", None, 120])
def test_what_is_no_pace(text):
    with pytest.raises(UsageError, match="is not a pace; expected real, max, or a factor such as 120x"):
        parse_pace(text)


def test_the_world_of_the_default_config_is_the_example():
    assert world_of(read_config()) == example_scenario() == read_world("example")


WORLD = """
seed: 7
start: 2026-01-05T06:00:00Z
demand_step: 30s
catalogue:
  - {name: small, cores: 2, memory: 4GiB, price_per_hour: 0.052}
cloud_vms:
  - {id: cloud-1, size: small}
services:
  - id: web
    replicas: 2
    max_replicas: 4
    cores: 0.5
    memory: 128MiB
    labels: {tier: front}
    on: [cloud-1]
    demand: {base_cores: 0.5, noise: 5%, flashes: [{at: 1h, cores: 2, every: 1d}]}
    behaviour: {dirty_per_core: 8MB/s, idle_memory: 40%}
faults: {lost_sample_probability: 1%}
timing: {cloud_vm_start_up: 2m, bandwidth: 1Gbit/s}
"""


def test_a_world_file(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(WORLD)
    world = read_world(file)
    web = world.services[0]
    assert (world.seed, world.demand_step_s, world.start_at) == (7, 30.0, 1767592800.0)
    assert (web.replicas, web.cores, web.memory_bytes, web.on, web.labels) == (
        2,
        0.5,
        128 << 20,
        ("cloud-1",),
        (("tier", "front"),),
    )
    assert web.demand.flashes[0].every_s == 86400.0
    assert (web.behaviour.dirty_bytes_per_core_s, web.behaviour.idle_memory_fraction) == (8e6, 0.4)
    assert (world.timing.cloud_vm_start_up_s, world.timing.bandwidth_bytes_per_s) == (120.0, 125e6)
    assert world.faults.lost_sample_probability == 0.01


def test_a_world_inside_the_config(tmp_path):
    (tmp_path / "w.yaml").write_text(WORLD)
    inside = "".join(f"      {line}\n" for line in WORLD.splitlines())
    (tmp_path / "c.yaml").write_text(f"cluster:\n  simulated:\n    world:\n{inside}")
    world = world_of(read_config(tmp_path / "c.yaml"))
    assert isinstance(world, Scenario)
    assert world == read_world(tmp_path / "w.yaml")


def test_a_world_that_is_not_there(tmp_path):
    with pytest.raises(PolicyError, match="expected a world file, or one of example"):
        read_world(tmp_path / "nowhere.yaml")


def test_ready_policies_are_found_by_name():
    assert ready_policies()["balanced"] == ROOT / "policies" / "balanced.yaml"
    with pytest.raises(UsageError, match=r"no ready policy is called 'balancd'; .*nearest: balanced"):
        ready_policy("balancd")
