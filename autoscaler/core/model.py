"""Identity: what exists in a cluster, as frozen objects made once. Measurement is not here (see `snapshot`).

Units: `cores` in cores, `*_bytes` in bytes, `*_s` in seconds, `price_per_hour` in the catalogue's currency per hour.
Ids are opaque: nothing is ever decided by comparing them. Ties are broken by row, that is, by order of first appearance
(docs/decisions/0001-ties-are-broken-by-row.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """The six actions: one vocabulary for strategies, policies, metrics and the journal."""

    SCALE_OUT = "scale_out"
    SCALE_IN = "scale_in"
    SCALE_UP = "scale_up"
    SCALE_DOWN = "scale_down"
    CONSOLIDATE = "consolidate"
    SEPARATE = "separate"

    @property
    def changes_replicas(self) -> bool:
        """Whether it starts or stops app VMs; the others move them."""
        return self in (Action.SCALE_OUT, Action.SCALE_IN)

    @property
    def saves_money(self) -> bool:
        """Whether its purpose is to pay less; the others serve demand."""
        return self in (Action.SCALE_IN, Action.SCALE_DOWN, Action.CONSOLIDATE)


class CloudVMState(StrEnum):
    """Life of a cloud VM; only an ACTIVE one may receive app VMs."""

    STARTING = "starting"
    ACTIVE = "active"
    CORDONED = "cordoned"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CloudVMSize:
    """A kind of cloud VM that can be rented; the list of them is the catalogue."""

    name: str
    cores: float
    memory_bytes: int
    price_per_hour: float


@dataclass(frozen=True, slots=True)
class CloudVM:
    """A rented VM that runs Xen and hosts app VMs; `size` is its full description, so that a size may leave the catalogue."""

    id: str
    size: CloudVMSize
    state: CloudVMState = CloudVMState.ACTIVE


PINNED_BECAUSE = "flexcapsule.pinned_because"  # the label by which a source says why; see AppVM.pinned_because


@dataclass(frozen=True, slots=True)
class AppVM:
    """One application on its library OS: what was allocated to it, and what may not be done with it.

    `pinned_to`: the only cloud VM it may run on. `apart_from`: app VM ids or service names it never shares a cloud VM with
    (its own service's name keeps replicas apart). `downtime_budget_s`: the most pause that migrations may cause it in
    any 24 h; None = no limit.
    """

    id: str
    service: str = ""
    cores: float = 1.0
    memory_bytes: int = 64 << 20
    pinned_to: str = ""
    apart_from: tuple[str, ...] = ()
    downtime_budget_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def pinned_because(self) -> str:
        """Why it can only run where it is pinned; empty where somebody said so, and may say otherwise."""
        return self.label(PINNED_BECAUSE)

    def label(self, name: str) -> str:
        """What its label `name` says; empty where it has none."""
        return next((value for label, value in self.labels if label == name), "")


@dataclass(frozen=True, slots=True)
class Service:
    """Interchangeable app VMs behind one name. `template` is what a new replica looks like (its id is ignored)."""

    id: str
    min_replicas: int = 1
    max_replicas: int = 1
    template: AppVM = field(default_factory=lambda: AppVM(id=""))
