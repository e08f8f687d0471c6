"""What a guard is shown: one proposal, what it would do, and everything it may be judged by. A value; no rules here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autoscaler.core.decision import Denial
from autoscaler.core.effect import Effect
from autoscaler.core.ledger import Grant, Ledger
from autoscaler.core.migration import Prediction, predict
from autoscaler.core.model import Action
from autoscaler.core.policy import Policy
from autoscaler.core.projection import Projection
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
    `granted`: that, as grants."""

    proposal: Proposal
    effect: Effect
    snapshot: Snapshot
    view: Projection
    standing: Standing
    granted: tuple[Grant, ...] = ()

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
    def after(self) -> Projection:
        """The cluster as it would be with this effect as well."""
        after = self.view.copy()
        after.apply(self.effect)
        return after

    @property
    def subjects(self) -> tuple[str, ...]:
        """The ids the proposal is about: its own, and the app VMs it moves or stops."""
        moved = (move.app_vm for move in self.effect.moves)
        return tuple(dict.fromkeys((*self.proposal.subjects, *moved, *self.effect.stops)))

    def prediction(self, app_vm: str) -> Prediction:
        """What moving `app_vm` would cost, by the migration model."""
        row = self.snapshot.inventory.app_row[app_vm]
        dirty = self.snapshot.recent(DIRTY)[row] if DIRTY in self.snapshot.usage else 0.0
        rate = self.policy.limits.migration_bandwidth_bytes_per_s
        return predict(float(self.snapshot.memory_in_use_bytes[row]), float(dirty) if dirty == dirty else 0.0, rate)  # noqa: PLR0124 NaN


Guard = Callable[[Case], Denial | None]
