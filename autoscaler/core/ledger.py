"""What has been granted and what it did: the memory behind cooldowns, stabilization, budgets and downtime budgets.

A value: every change gives a new one, so that it can be journalled, folded and compared. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autoscaler.core.model import Action

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Grant:
    """One granted proposal. `key`: its subject over time; `ids`: everything it touches; `migrations`: app VMs it moves."""

    at: float
    action: Action
    key: str
    ids: tuple[str, ...]
    migrations: int


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of an app VM, caused by a migration."""

    at: float
    downtime_s: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """`grants` oldest first, as far back as the longest budget needs; `touched`: (whether replicas changed, id) -> last time;
    `wanted_since`: (action, key) -> since when proposed without a break; `pauses`: app VM -> its pauses in the last 24 h, those
    first whose last one is longest ago."""

    grants: tuple[Grant, ...] = ()
    touched: Mapping[tuple[bool, str], float] = field(default_factory=dict)
    wanted_since: Mapping[tuple[Action, str], float] = field(default_factory=dict)
    pauses: Mapping[str, tuple[Pause, ...]] = field(default_factory=dict)

    def granted(self, grants: tuple[Grant, ...], keep_s: float) -> Ledger:
        """With `grants` added, and all older than `keep_s` forgotten."""
        if not grants:
            return self
        now = grants[-1].at
        touched = {key: at for key, at in self.touched.items() if now - at <= max(keep_s, DAY_S)}
        for grant in grants:
            touched |= {(grant.action.changes_replicas, id_): grant.at for id_ in grant.ids}
        kept = tuple(grant for grant in self.grants if now - grant.at <= keep_s)
        return replace(self, grants=kept + grants, touched=touched)

    def touching(self, changes_replicas: bool, ids: Iterable[str], at: float) -> Ledger:
        """With `ids` touched again: the end of a plan about them, from which their quiet time counts."""
        return replace(self, touched={**self.touched, **{(changes_replicas, id_): at for id_ in ids}})

    def wanting(self, wanted: Mapping[tuple[Action, str], float]) -> Ledger:
        return replace(self, wanted_since=wanted)

    def paused(self, app_vm: str, at: float, downtime_s: float) -> Ledger:
        """With one migration's pause of `app_vm` on the record."""
        recent = tuple(pause for pause in self.pauses.get(app_vm, ()) if at - pause.at < DAY_S)
        pauses = dict(self.pauses)
        for id_, past in self.pauses.items():
            if at - past[-1].at < DAY_S:
                break  # those after it paused later
            del pauses[id_]
        pauses.pop(app_vm, None)
        return replace(self, pauses={**pauses, app_vm: (*recent, Pause(at, downtime_s))})

    def downtime_s(self, app_vm: str, now: float) -> float:
        """Pause that migrations caused `app_vm` in the 24 h before `now`."""
        return sum(pause.downtime_s for pause in self.pauses.get(app_vm, ()) if now - pause.at < DAY_S)
