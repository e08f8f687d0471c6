"""The figures of one run: what it cost and what it failed to do. The world writes them; nobody decides by them.

Separate because it sees what a controller cannot: demand that was not served. No policy, no controller figures here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Score:
    """Of the run so far. `cost` in the catalogue's currency; `overloaded_fraction`: of the time that cloud VMs hosted app
    VMs, the part in which they were asked for more CPU than they have; `longest_downtime_s`: of any one app VM in all."""

    cost: float
    demand_unserved_fraction: float
    demanded_core_s: float
    unserved_core_s: float
    overloaded_fraction: float
    migrations: int
    downtime_s: float
    longest_downtime_s: float
    migrated_bytes: float
    app_vms_lost: int
    app_vm_starts: int
    app_vm_stops: int
    cloud_vm_starts: int
    cloud_vm_releases: int
    cloud_vm_deaths: int
    cloud_vm_hours: float
    simulated_s: float


@dataclass(slots=True)
class Tally:
    """What is summed up while a world runs; plain numbers, so that it can be kept."""

    cost: float = 0.0
    demanded_core_s: float = 0.0
    unserved_core_s: float = 0.0
    hosting_s: float = 0.0
    overloaded_s: float = 0.0
    cloud_vm_s: float = 0.0
    simulated_s: float = 0.0
    migrations: int = 0
    migrated_bytes: float = 0.0
    app_vms_lost: int = 0
    app_vm_starts: int = 0
    app_vm_stops: int = 0
    cloud_vm_starts: int = 0
    cloud_vm_releases: int = 0
    cloud_vm_deaths: int = 0
    downtime_s: float = 0.0
    longest_downtime_s: float = 0.0
    downtime_s_of: dict[str, float] = field(default_factory=dict)  # of the app VMs that are there

    def migrated(self, app_vm: str, downtime_s: float, sent_bytes: float) -> None:
        """One migration done."""
        self.migrations += 1
        self.migrated_bytes += sent_bytes
        self.downtime_s += downtime_s
        mine_s = self.downtime_s_of[app_vm] = self.downtime_s_of.get(app_vm, 0.0) + downtime_s
        self.longest_downtime_s = max(self.longest_downtime_s, mine_s)

    def forget(self, app_vm: str) -> None:
        """An app VM that is gone: its downtime stays in the figures."""
        self.downtime_s_of.pop(app_vm, None)

    def state(self) -> dict[str, Any]:
        """As JSON-able values; `Tally(**state)` is the way back."""
        return asdict(self)

    def score(self) -> Score:
        return Score(
            cost=self.cost,
            demand_unserved_fraction=_fraction(self.unserved_core_s, self.demanded_core_s),
            demanded_core_s=self.demanded_core_s,
            unserved_core_s=self.unserved_core_s,
            overloaded_fraction=_fraction(self.overloaded_s, self.hosting_s),
            migrations=self.migrations,
            downtime_s=self.downtime_s,
            longest_downtime_s=self.longest_downtime_s,
            migrated_bytes=self.migrated_bytes,
            app_vms_lost=self.app_vms_lost,
            app_vm_starts=self.app_vm_starts,
            app_vm_stops=self.app_vm_stops,
            cloud_vm_starts=self.cloud_vm_starts,
            cloud_vm_releases=self.cloud_vm_releases,
            cloud_vm_deaths=self.cloud_vm_deaths,
            cloud_vm_hours=self.cloud_vm_s / 3600.0,
            simulated_s=self.simulated_s,
        )


def _fraction(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
