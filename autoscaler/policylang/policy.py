"""The policy document: what a policy may say, as a form, and the way from the form to core/policy.

The only place where a policy's keys are named; docs/policy.md and the JSON Schema are made from it. No file is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, create_model

from autoscaler.core.policy import Budget, Condition, Limits, Mode, Policy
from autoscaler.policylang.calendar import TimeZone, WindowForm
from autoscaler.policylang.choices import ActionList, PerAction, When, per_action
from autoscaler.policylang.forms import Form, Name, Text
from autoscaler.policylang.records import Record, shown
from autoscaler.policylang.strategies import StrategyTypes, spec_of, strategy_annotation
from autoscaler.policylang.units import DURATION, PER_CENT, RATE, REAL, SHARE, WHOLE, Quantity

DEFAULT = Limits()
STRATEGY = "strategy"
MOST_RULES = 100  # every one is looked at for every proposal
HOUR_S, DAY_S = 3600.0, 86400.0


def _told(value: Any, name: str, doc: str) -> Any:
    """A field with its default (a value of the core), documented as it would be written."""
    return Field(default=value, description=doc, json_schema_extra={"default": shown(value, name)})


class HeadroomForm(Form):
    """Capacity that is kept free on every cloud VM that receives app VMs."""

    cpu: Annotated[float, Quantity(SHARE, ge=0, lt=1)] = _told(
        DEFAULT.cpu_headroom_fraction, "cpu_headroom_fraction", "share of its cores"
    )
    memory: Annotated[float, Quantity(SHARE, ge=0, lt=1)] = _told(
        DEFAULT.memory_headroom_fraction, "memory_headroom_fraction", "share of its memory"
    )


class BudgetForm(Form):
    """The most that may be granted of some actions, together, in a stretch of time."""

    actions: ActionList = Field(description="what is counted, together")
    count: Annotated[int | None, Quantity(WHOLE, ge=0, optional=True)] = Field(
        default=None, description="actions granted"
    )
    per_cent: Annotated[float | None, Quantity(PER_CENT, gt=0, le=100, optional=True)] = Field(
        default=None, description="share of the service's replicas, or of the cloud VMs, rounded up"
    )
    migrations: Annotated[int | None, Quantity(WHOLE, ge=0, optional=True)] = Field(
        default=None, description="app VMs moved"
    )
    per: Annotated[float | None, Quantity(DURATION, ge=1, optional=True, word="tick")] = _told(
        HOUR_S, "per_s", "stretch of time, ending now; `tick`: one decision"
    )
    windows: tuple[WindowForm, ...] = Field(
        default=(), max_length=MOST_RULES, description="only inside these; none = at any time"
    )


class WorthItForm(Form):
    """Whether a saving is worth the disruption of the moves it takes."""

    k: Annotated[float | None, Quantity(REAL, gt=0, optional=True)] = _told(
        DEFAULT.worth_it_k,
        "k",
        "share of the bill saved / share of all disruption must be at least 1/k; bigger moves more",
    )


class MigrationForm(Form):
    """What the network carries, and how many moves at once."""

    bandwidth: Annotated[float, Quantity(RATE, gt=0)] = _told(
        DEFAULT.migration_bandwidth_bytes_per_s, "bandwidth_bytes_per_s", "of one migration, for predictions"
    )
    parallel: Annotated[int, Quantity(WHOLE, ge=1)] = _told(
        DEFAULT.parallel_migrations, "parallel", "migrations at once in the whole cluster"
    )
    parallel_per_cloud_vm: Annotated[int, Quantity(WHOLE, ge=1)] = _told(
        DEFAULT.parallel_migrations_per_cloud_vm, "parallel_per_cloud_vm", "migrations at once to or from one cloud VM"
    )


class LimitsForm(Form):
    """What operators allow, whatever the strategy wishes."""

    fresh: Annotated[float, Quantity(DURATION, gt=0)] = _told(
        DEFAULT.fresh_s, "fresh_s", "nothing acts on samples older than this"
    )
    headroom: HeadroomForm = Field(default_factory=HeadroomForm, description="capacity kept free")
    cooldown: PerAction = Field(
        default_factory=dict, description="quiet time of a subject after its last change, per action"
    )
    stabilization: PerAction = Field(
        default_factory=dict, description="how long an action must have been wanted without a break, per action"
    )
    budgets: tuple[BudgetForm, ...] = Field(
        default=(), max_length=MOST_RULES, description="the most that may be granted; all of them hold"
    )
    cpu_overcommit: Annotated[float, Quantity(REAL, ge=1, le=100)] = _told(
        DEFAULT.cpu_overcommit,
        "cpu_overcommit",
        "allocated cores per core of a cloud VM (memory is never overcommitted)",
    )
    downtime_budget: Annotated[float | None, Quantity(DURATION, ge=0, optional=True)] = _told(
        DEFAULT.downtime_budget_s, "downtime_budget_s", "pause per app VM in 24 h, where it says nothing itself"
    )
    worth_it: WorthItForm = Field(default_factory=WorthItForm, description="savings against disruption")
    migration: MigrationForm = Field(default_factory=MigrationForm, description="how app VMs are moved")
    isolate: Text = Field(
        default="", description="label whose values (tenants) never share a cloud VM, not for a moment; empty: none"
    )


class ConditionForm(Form):
    """An expression that must be true for some actions to be granted."""

    actions: ActionList = Field(description="the actions it speaks of")
    when: When = Field(description="CEL, true or false, like `usage.cpu < 0.8 && time.hour >= 22`")
    reason: Text = Field(default="", description="what `explain` shows where it does not hold")


class PolicyForm(Form):
    """What to want, what to allow, how often."""

    name: Name = Field(description="what journal, metrics and status call it")
    mode: Mode = Field(default=Mode.LIVE, description="`live` acts; `shadow` decides and records, and acts on nothing")
    every: Annotated[float, Quantity(DURATION, ge=1, le=DAY_S)] = _told(60.0, "every_s", "time between two decisions")
    window: Annotated[int, Quantity(WHOLE, ge=1, le=10_000)] = _told(
        30, "window", "samples per app VM that strategies see"
    )
    time_zone: TimeZone = Field(default="UTC", description="of conditions and windows that name none (IANA name)")
    limits: LimitsForm = Field(default_factory=LimitsForm, description="what operators allow")
    conditions: tuple[ConditionForm, ...] = Field(
        default=(), max_length=MOST_RULES, description="rules in CEL; all of an action's must hold"
    )


def policy_form(types: StrategyTypes) -> type[PolicyForm]:
    """The form of a policy that may name these strategies."""
    return _form(tuple(types.items()))


def policy_of(form: PolicyForm, digest: str) -> Policy:
    """The core's policy from a filled form."""
    limits = form.limits
    strategy: Record = getattr(form, STRATEGY)  # a field of every form that policy_form makes
    return Policy(
        name=form.name,
        strategy=spec_of(strategy),
        digest=digest,
        limits=Limits(
            fresh_s=limits.fresh,
            cooldown_s=per_action(limits.cooldown),
            stabilization_s=per_action(limits.stabilization),
            budgets=tuple(_budget(budget, form.time_zone) for budget in limits.budgets),
            cpu_headroom_fraction=limits.headroom.cpu,
            memory_headroom_fraction=limits.headroom.memory,
            cpu_overcommit=limits.cpu_overcommit,
            downtime_budget_s=limits.downtime_budget,
            worth_it_k=limits.worth_it.k,
            migration_bandwidth_bytes_per_s=limits.migration.bandwidth,
            parallel_migrations=limits.migration.parallel,
            parallel_migrations_per_cloud_vm=limits.migration.parallel_per_cloud_vm,
            isolate=limits.isolate,
        ),
        conditions=tuple(Condition(rule.actions, rule.when, rule.reason) for rule in form.conditions),
        every_s=form.every,
        window_samples=form.window,
        time_zone=form.time_zone,
        mode=form.mode,
    )


def _budget(form: BudgetForm, time_zone: str) -> Budget:
    windows = tuple(window.window(time_zone) for window in form.windows)
    return Budget(form.actions, form.count, form.per_cent, form.migrations, form.per, windows)


@lru_cache(maxsize=8)
def _form(types: tuple[tuple[str, type], ...]) -> type[PolicyForm]:
    annotation = strategy_annotation(dict(types))
    strategy = (
        annotation,
        Field(description="what to want: one of the strategies, with its parameters beside its name"),
    )
    fields: Mapping[str, Any] = {STRATEGY: strategy}
    return create_model("Policy", __base__=PolicyForm, __doc__=PolicyForm.__doc__, **fields)
