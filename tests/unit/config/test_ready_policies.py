"""The ready policies: each says what it is for, and each does what it says in the example world."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from driving import drive

from autoscaler import registry
from autoscaler.config import read_config, read_world, ready_policies
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import PolicyChanged, Record
from autoscaler.core.model import Action
from autoscaler.core.policy import StrategySpec
from autoscaler.policylang import compile_condition, read_policy
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.score import Score
from autoscaler.sim.world import World

HOUR_S, DAY_TICKS = 3600.0, 1440
MOVING = {Action.SCALE_UP, Action.SCALE_DOWN, Action.CONSOLIDATE, Action.SEPARATE}


def policy(name: str):
    return read_policy(ready_policies()[name], registry.strategy_types())


@cache
def live(name: str, ticks: int, later_h: float = 0.0) -> tuple[list, Score]:
    """What the policy granted in the example world, as (hours since the start, proposal), and its score at the end."""
    example, tick_s = read_world("example"), read_config().tick_s
    scenario = replace(example, start_at=example.start_at + later_h * HOUR_S)
    world = World(scenario)
    cluster, engine = SimulatedCluster(world), Engine(Toolbox(registry.build, compile_condition))
    engine.handle(PolicyChanged(scenario.start_at, policy(name), id="e0"))
    granted = [
        ((now - scenario.start_at) / HOUR_S, proposal)
        for now, command in drive(engine, cluster, tick_s, ticks)
        if isinstance(command, Record)
        for proposal in command.audit.decision.granted
    ]
    return granted, world.score


def counts(granted) -> Counter:
    return Counter(proposal.action for _, proposal in granted)


def test_there_are_six_or_more():
    assert len(ready_policies()) >= 6


@pytest.mark.parametrize("name", ready_policies())
def test_each_can_be_read_and_is_called_like_its_file(name):
    assert policy(name).name == name


@pytest.mark.parametrize("name", ready_policies())
def test_each_says_what_it_is_for_and_when_not_to_use_it(name):
    header: list[str] = []
    for line in ready_policies()[name].read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert header[0] == "# yaml-language-server: $schema=../docs/schema/policy.json"
    assert any(line.startswith("# For: ") for line in header)
    assert any(line.startswith("# Not: ") for line in header)


@pytest.mark.parametrize("name", ready_policies())
def test_no_new_replica_may_fill_a_cloud_vm_beyond_where_it_is_overloaded(name):
    """Guards let a scale out fill up to the headroom; above the ceiling the next decision would separate it again."""
    placement = policy(name).strategy.parameters.get("placement", {"name": "none"})
    if placement["name"] == "consolidate":
        parameters = {key: value for key, value in placement.items() if key != "name"}
        ceiling_fraction = registry.build(StrategySpec("consolidate", parameters)).cpu_ceiling_fraction
        assert policy(name).limits.cpu_headroom_fraction >= 1 - ceiling_fraction - 1e-9


def test_balanced_carries_out_each_action_within_five_hours_of_the_example_world():
    """`make run` shows each of the six within two minutes: at its pace five hours take 63 seconds."""
    granted, score = live("balanced", 5 * 60)
    assert set(counts(granted)) == set(Action)
    assert score.demand_unserved_fraction < 0.01


def test_balanced_pays_less_and_serves_more_than_hold():
    _, balanced = live("balanced", DAY_TICKS)
    nothing, hold = live("hold", DAY_TICKS)
    assert not nothing
    assert balanced.cost < 0.8 * hold.cost
    assert balanced.demand_unserved_fraction < 0.1 * hold.demand_unserved_fraction


def test_replicas_only_moves_nobody():
    granted, score = live("replicas-only", DAY_TICKS // 2)
    assert granted
    assert not MOVING & set(counts(granted))
    assert score.migrations == 0


def test_night_consolidation_packs_at_night_only():
    granted, _ = live("night-consolidation", 11 * 60, later_h=14)  # from 20:00 UTC, which is 21:00 in Berlin
    hours = [(21 + hour) % 24 for hour, p in granted if p.action in (Action.CONSOLIDATE, Action.SCALE_DOWN)]
    assert hours
    assert all(hour >= 22 or hour < 6 for hour in hours)


def test_calm_moves_less_than_balanced_and_pauses_nobody_for_more_than_a_second():
    _, calm = live("calm", DAY_TICKS)
    _, balanced = live("balanced", DAY_TICKS)
    assert calm.migrations < 0.6 * balanced.migrations
    assert calm.longest_downtime_s <= 1.0


def test_calm_saves_where_saving_moves_few():
    """A guard that refuses nearly every saving is no calmness."""
    _, calm = live("calm", DAY_TICKS)
    _, hold = live("hold", DAY_TICKS)
    assert calm.cost < 0.9 * hold.cost


def test_cost_saver_is_cheaper_and_fast_web_serves_more():
    worlds = {name: live(name, DAY_TICKS)[1] for name in ("cost-saver", "balanced", "fast-web")}
    assert worlds["cost-saver"].cost < worlds["balanced"].cost < worlds["fast-web"].cost
    unserved = {name: score.demand_unserved_fraction for name, score in worlds.items()}
    assert unserved["fast-web"] < unserved["balanced"]


def test_shadow_first_is_balanced_in_shadow():
    shadow, balanced = policy("shadow-first"), policy("balanced")
    assert shadow.mode == "shadow"
    assert (shadow.limits, shadow.strategy) == (balanced.limits, balanced.strategy)
