"""A policy in YAML to the core's policy: every key, every default, and what is between them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from autoscaler import registry
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Condition, Limits, Mode, Policy, StrategySpec, Window
from autoscaler.errors import PolicyError
from autoscaler.policylang import read_policy, read_policy_text

TYPES = registry.strategy_types()
LEAST = "name: x\nstrategy: {name: hold}\n"


def policy(body: str = "") -> Policy:
    return read_policy_text(LEAST + body, "p.yaml", TYPES)


def test_what_is_left_out_is_the_cores_default():
    read = policy()
    assert read == Policy("x", StrategySpec("hold"), digest=read.digest)
    assert len(read.digest) == 64


def test_every_key():
    read = policy("""
mode: shadow
every: 90s
window: 12
time_zone: Europe/Berlin
limits:
  fresh: 2m
  headroom: {cpu: 15%, memory: 0.1}
  cooldown: {all: 1m, saving: 10m, scale_in: 1h}
  stabilization: {consolidate: 5m}
  budgets:
    - actions: [consolidate, scale_in]
      count: 4
      per_cent: 20%
      migrations: 30
      per: 2h
      windows:
        - {days: fri-mon, from: 22:00, to: 06:30}
        - {days: [tue], from: 00:00, to: 24:00, time_zone: Asia/Tokyo}
    - {actions: serving, count: none, per: tick}
  cpu_overcommit: 2.5
  downtime_budget: 500ms
  worth_it: {k: none}
  migration: {bandwidth: 10Gbit/s, parallel: 8, parallel_per_cloud_vm: 3}
  isolate: tenant
conditions:
  - {actions: consolidate, when: usage.cpu < 0.6, reason: too busy}
""")
    windows = (Window((0, 4, 5, 6), 1320, 390, "Europe/Berlin"), Window((1,), 0, 1440, "Asia/Tokyo"))
    saving = {Action.SCALE_IN: 3600.0, Action.SCALE_DOWN: 600.0, Action.CONSOLIDATE: 600.0}
    serving = (Action.SCALE_OUT, Action.SCALE_UP, Action.SEPARATE)
    assert read == Policy(
        name="x",
        strategy=StrategySpec("hold"),
        digest=read.digest,
        limits=Limits(
            fresh_s=120.0,
            cooldown_s={**dict.fromkeys(serving, 60.0), **saving},
            stabilization_s={Action.CONSOLIDATE: 300.0},
            budgets=(
                Budget((Action.SCALE_IN, Action.CONSOLIDATE), 4, 20.0, 30, 7200.0, windows),
                Budget(serving, None, None, None, None),
            ),
            cpu_headroom_fraction=0.15,
            memory_headroom_fraction=0.1,
            cpu_overcommit=2.5,
            downtime_budget_s=0.5,
            worth_it_k=None,
            migration_bandwidth_bytes_per_s=1.25e9,
            parallel_migrations=8,
            parallel_migrations_per_cloud_vm=3,
            isolate="tenant",
        ),
        conditions=(Condition((Action.CONSOLIDATE,), "usage.cpu < 0.6", "too busy"),),
        every_s=90.0,
        window_samples=12,
        time_zone="Europe/Berlin",
        mode=Mode.SHADOW,
    )


def test_every_limit_of_the_core_can_be_written():
    """A field added to the core's limits without a key in the language makes `test_every_key` say too little."""
    assert {f.name for f in fields(Limits)} == {
        "fresh_s", "cooldown_s", "stabilization_s", "budgets", "cpu_headroom_fraction", "memory_headroom_fraction",
        "cpu_overcommit", "downtime_budget_s", "worth_it_k", "migration_bandwidth_bytes_per_s", "parallel_migrations",
        "parallel_migrations_per_cloud_vm", "isolate",
    }  # fmt: skip
    assert {f.name for f in fields(Policy)} == {
        "name", "strategy", "digest", "limits", "conditions", "every_s", "window_samples", "time_zone", "mode",
    }  # fmt: skip


def test_a_strategy_comes_with_all_its_parameters_and_builds():
    text = "name: x\nstrategy:\n  name: composite\n  replicas: {name: threshold, cpu_up: 90%, samples: 2}\n"
    spec = read_policy_text(text, "p.yaml", TYPES).strategy
    assert spec.name == "composite"
    assert spec.parameters["replicas"]["name"] == "threshold"
    assert spec.parameters["replicas"]["cpu_up_fraction"] == 0.9
    assert spec.parameters["placement"]["name"] == "consolidate"  # the default, written out
    assert registry.build(spec).replicas.samples == 2


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_strategy_with_nothing_said_is_its_default(name):
    spec = read_policy_text(f"name: x\nstrategy: {{name: {name}}}\n", "p.yaml", TYPES).strategy
    assert registry.build(spec) == registry.strategy_type(name)()


def test_parameters_that_do_not_go_together_are_refused_where_the_strategy_stands():
    text = "name: x\nstrategy:\n  name: composite\n  size: {name: threshold, cpu_up: 30%, cpu_down: 60%}\n"
    with pytest.raises(PolicyError) as refused:
        read_policy_text(text, "p.yaml", TYPES)
    assert str(refused.value) == (
        "p.yaml:4:9: strategy.size: strategy threshold: cpu_down 60% must be below cpu_up 30%"
    )


def test_the_first_mistake_in_the_text_is_the_one_reported():
    with pytest.raises(PolicyError, match=r"^p\.yaml:3:8: every: "):
        policy("every: 5\nwindow: x\nlimits: {fresh: y}\n")


def test_anchors_save_writing():
    read = policy("limits:\n  cooldown: &quiet {scale_in: 5m}\n  stabilization: *quiet\n")
    assert read.limits.cooldown_s == read.limits.stabilization_s == {Action.SCALE_IN: 300.0}


def test_a_condition_in_a_block_is_pointed_into():
    with pytest.raises(PolicyError, match=r"^p\.yaml:7:9: .*unknown name 'usage\.nope'"):
        policy(
            "conditions:\n  - actions: all\n    when: |\n      true &&\n      (usage.nope < 0.1)\n".replace(
                "(usage", " (usage"
            )
        )


def test_reads_a_file_and_names_it(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(LEAST, encoding="utf-8")
    assert read_policy(file, TYPES).name == "x"
    file.write_text("name: x\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=f"^{file}:1:1: key 'strategy' is missing"):
        read_policy(file, TYPES)
