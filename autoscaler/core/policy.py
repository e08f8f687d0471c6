"""A policy as values: what the engine, guards and planner read. Text, defaults' documentation and checking are policylang's.

Durations in seconds, shares as fractions. A limit of None means: no such limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from autoscaler.core.model import Action


class Mode(StrEnum):
    """`live` acts; `shadow` decides and records, and nothing is acted on."""

    LIVE = "live"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """Which strategy, with which parameters (plain JSON values, already checked against the strategy's own types)."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the week, in the wall-clock time of `time_zone`. `days`: 0 = Monday. Minutes of the day, end excluded;
    an end before the start runs past midnight and belongs to the day it began on."""

    days: tuple[int, ...]
    from_minute: int
    to_minute: int
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so much of `actions` per `per_s` (None: per tick): `count` actions, `migrations` app VM moves, and
    `per_cent` of what the action is about (replicas of the service; cloud VMs). With `windows`, only inside them."""

    actions: tuple[Action, ...]
    count: int | None = None
    per_cent: float | None = None
    migrations: int | None = None
    per_s: float | None = 3600.0
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A CEL expression that must hold for `actions` to be granted; `reason` is what `explain` shows where it does not."""

    actions: tuple[Action, ...]
    when: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What operators allow. Guards hold these; strategies may wish for more. `isolate`: the label whose values (tenants)
    never share a cloud VM; empty: none."""

    fresh_s: float = 180.0
    cooldown_s: Mapping[Action, float] = field(default_factory=dict)
    stabilization_s: Mapping[Action, float] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    cpu_headroom_fraction: float = 0.1
    memory_headroom_fraction: float = 0.05
    cpu_overcommit: float = 4.0
    downtime_budget_s: float | None = None
    worth_it_k: float | None = 2.0
    migration_bandwidth_bytes_per_s: float = 125e6
    parallel_migrations: int = 4
    parallel_migrations_per_cloud_vm: int = 2
    isolate: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A YAML document, checked. `digest` identifies its content in the journal. Decides every `every_s`."""

    name: str
    strategy: StrategySpec
    digest: str = ""
    limits: Limits = field(default_factory=Limits)
    conditions: tuple[Condition, ...] = ()
    every_s: float = 60.0
    window_samples: int = 30
    time_zone: str = "UTC"
    mode: Mode = Mode.LIVE
