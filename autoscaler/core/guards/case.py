"""What a guard is shown: one proposal, what it would do, and everything it may be judged by. A value; no rules here.

`at_least` and `at_most` print the number a denial's `relax` asks for, rounded to the side on which it does help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, floor, isnan
from typing import Any

from autoscaler.core.decision import Denial
from autoscaler.core.effect import Effect
from autoscaler.core.guards.spent import Spent
from autoscaler.core.ledger import Ledger
from autoscaler.core.migration import Prediction, predict
from autoscaler.core.model import Action
from autoscaler.core.policy import Limits, Policy
from autoscaler.core.projection import Ahead, Projection
from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import DIRTY, Snapshot

Holds = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands outside one decision. `paused`: id ('' = the cluster) -> why. `stuck`: id -> why. `filling`: cloud VMs
    that plans in flight are moving app VMs to. `conditions`: the policy's conditions, compiled, in its order."""

    policy: Policy
    ledger: Ledger
    paused: Mapping[str, str] = field(default_factory=dict)
    stuck: Mapping[str, str] = field(default_factory=dict)
    filling: frozenset[str] = frozenset()
    conditions: tuple[Holds, ...] = ()
    forecast: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """One proposal before the guards. `view`: the cluster as it would be after what was granted so far in this decision;
    `spent`: what that and earlier decisions have taken of each budget."""

    proposal: Proposal
    effect: Effect
    snapshot: Snapshot
    view: Projection
    standing: Standing
    spent: Spent

    @property
    def action(self) -> Action:
        return self.proposal.action

    @property
    def now(self) -> float:
        return self.snapshot.at

    @property
    def policy(self) -> Policy:
        return self.standing.policy

    @cached_property
    def after(self) -> Ahead:
        """The cloud VMs it concerns as they would be with this effect as well."""
        return Ahead(self.view, self.effect)

    @cached_property
    def touched(self) -> tuple[str, ...]:
        """Ids of everything the effect is about."""
        return self.effect.touched

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The ids the proposal is about: its own, and the app VMs it moves or stops."""
        moved = (move.app_vm for move in self.effect.moves)
        return tuple(dict.fromkeys((*self.proposal.subjects, *moved, *self.effect.stops)))

    def prediction(self, app_vm: str) -> Prediction:
        """What moving `app_vm` would cost, by the migration model."""
        return prediction(app_vm, self.snapshot, self.policy.limits)


def prediction(app_vm: str, snapshot: Snapshot, limits: Limits) -> Prediction:
    """What moving `app_vm` would cost, by the migration model and what was measured: its memory in use, what it was last seen to
    dirty."""
    row = snapshot.inventory.app_row[app_vm]
    dirty = float(snapshot.latest(DIRTY)[row]) if DIRTY in snapshot.usage else 0.0
    memory = float(snapshot.memory_in_use_bytes[row])
    by_model = predict(memory, 0.0 if isnan(dirty) else dirty, limits.migration_bandwidth_bytes_per_s)
    return snapshot.correction.of(by_model)


def longest_pause_s(app_vm: str, snapshot: Snapshot, limits: Limits) -> float:
    """How long moving `app_vm` may pause it: by the most it dirtied in the window, over a link that is shared by as many
    migrations as may run at one cloud VM. A mean would be exceeded by every other move."""
    row = snapshot.inventory.app_row[app_vm]
    share = limits.migration_bandwidth_bytes_per_s / limits.parallel_migrations_per_cloud_vm
    memory, dirty = float(snapshot.memory_in_use_bytes[row]), float(snapshot.dirtied_most_bytes_per_s[row])
    return snapshot.correction.of(predict(memory, dirty, share)).downtime_s


Guard = Callable[[Case], Denial | None]


def at_least(value: float, digits: int = 0) -> str:
    """`value` rounded up to so many digits after the point."""
    return f"{ceil(value * 10**digits - 1e-9) / 10**digits:.{digits}f}"


def at_most(value: float, digits: int = 0) -> str:
    """`value` rounded down to so many digits after the point."""
    return f"{floor(value * 10**digits + 1e-9) / 10**digits:.{digits}f}"
