"""Everything that exists in a simulated cluster at one instant: app VMs, cloud VMs, steps under way, outcomes, the tally.

Separate from the world because it does not know that time passes: it answers what is where and what fits, and changes
when it is told. No rates, no dispatch of steps, no chance may be here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.model import AppVM, CloudVM, CloudVMState
from autoscaler.core.snapshot import NOWHERE
from autoscaler.core.steps import StepAction
from autoscaler.sim.rows import Rows
from autoscaler.sim.scenario import Behaviour, Scenario
from autoscaler.sim.score import Tally

APP_ROW = np.dtype([
    ("place", "i8"),  # row of its cloud VM
    ("subject", "i8"),  # row of its demand, NOWHERE = none
    ("paused", "?"),
    ("cores", "f8"),
    ("memory_bytes", "f8"),
    ("idle_memory_bytes", "f8"),
    ("busy_memory_bytes", "f8"),
    ("dirty_bytes_per_core_s", "f8"),
    ("started_at", "f8"),
    ("served_cores", "f8"),  # now
    ("served_core_s", "f8"),  # since the window began
    ("sample_cores", "f8"),  # mean over the last window, NaN = the sample was lost
    ("sampled_at", "f8"),
])  # fmt: skip
CLOUD_ROW = np.dtype([
    ("cores", "f8"),
    ("memory_bytes", "f8"),
    ("price_per_hour", "f8"),
    ("created_at", "f8"),
    ("dies_at", "f8"),
])  # fmt: skip


class RefusedError(Exception):
    """A step that cannot be carried out as things are; the message is the reason that is reported."""


@dataclass(frozen=True, slots=True)
class Underway:
    """A step in progress. `fault`: why it will fail at `ends_at`, empty = it will not. `holds`: the cloud VM and the bytes
    of memory kept for what arrives. `pause_at`: when its app VM stops serving, None = it does not."""

    step: str
    action: StepAction
    began_at: float
    ends_at: float
    pause_at: float | None = None
    fault: str = ""
    downtime_s: float = 0.0
    sent_bytes: float = 0.0
    holds: tuple[str, int] | None = None


@dataclass(slots=True)
class Estate:
    """`subjects`: rows of the demand by id. `behaviours`: by id of a service or app VM. `accepted`, `rented`: steps and
    cloud VMs so far, the ordinals of their luck."""

    scenario: Scenario
    now: float
    subjects: dict[str, int]
    behaviours: dict[str, Behaviour]
    apps: Rows[AppVM] = field(default_factory=lambda: Rows[AppVM](APP_ROW))
    clouds: Rows[CloudVM] = field(default_factory=lambda: Rows[CloudVM](CLOUD_ROW))
    underway: dict[str, Underway] = field(default_factory=dict)
    outcomes: dict[str, StepEnded] = field(default_factory=dict)
    unreported: dict[str, None] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    accepted: int = 0
    rented: int = 0

    def app(self, name: str) -> int:
        """Row of an app VM that runs; refused where there is none."""
        row = self.apps.row(name)
        if row is None:
            raise RefusedError(f"there is no app VM {name!r}")
        return row

    def cloud(self, name: str) -> int:
        row = self.clouds.row(name)
        if row is None:
            raise RefusedError(f"there is no cloud VM {name!r}")
        return row

    def place_of(self, app_row: int) -> CloudVM:
        return self.clouds.identities[int(self.apps["place"][app_row])]

    def holds_on(self, cloud_vm: str) -> int:
        """Bytes kept on a cloud VM for what is arriving."""
        return sum(u.holds[1] for u in self.underway.values() if u.holds is not None and u.holds[0] == cloud_vm)

    def free_bytes(self, cloud_row: int) -> int:
        """Memory of a cloud VM that neither an app VM nor an arrival has."""
        here = self.apps["place"] == cloud_row
        used = int(self.apps["memory_bytes"][here].sum())
        identity = self.clouds.identities[cloud_row]
        return identity.size.memory_bytes - used - self.holds_on(identity.id)

    def busy(self, subject: str) -> bool:
        """Whether a step that is under way is about this id."""
        return any(subject in u.action.subjects for u in self.underway.values())

    def check_arrival(self, cloud_vm: str, memory_bytes: int) -> None:
        """Refuse what the cloud VM cannot take: it must be active, stay, and have the memory."""
        row = self.cloud(cloud_vm)
        state = self.clouds.identities[row].state
        if state is not CloudVMState.ACTIVE:
            raise RefusedError(f"cloud VM {cloud_vm!r} is {state.value}, not active")
        if self.busy(cloud_vm):
            raise RefusedError(f"cloud VM {cloud_vm!r} is being changed")
        free = self.free_bytes(row)
        if memory_bytes > free:
            raise RefusedError(f"needs {memory_bytes} bytes of memory, cloud VM {cloud_vm!r} has {free} free")

    def columns_of(self, app_vm: AppVM) -> dict[str, float]:
        """What follows from an app VM's identity: its allocation, its demand, its behaviour."""
        key = app_vm.id if app_vm.id in self.subjects else app_vm.service
        manner = self.behaviours.get(app_vm.id) or self.behaviours.get(app_vm.service) or Behaviour()
        return {
            "subject": self.subjects.get(key, NOWHERE),
            "cores": app_vm.cores,
            "memory_bytes": app_vm.memory_bytes,
            "idle_memory_bytes": app_vm.memory_bytes * manner.idle_memory_fraction,
            "busy_memory_bytes": app_vm.memory_bytes * manner.busy_memory_fraction,
            "dirty_bytes_per_core_s": manner.dirty_bytes_per_core_s,
        }

    def fill(self) -> None:
        """Write what follows from the identities into all rows of app VMs and cloud VMs."""
        derived = [self.columns_of(app_vm) for app_vm in self.apps.identities]
        for column in derived[0] if derived else ():
            self.apps[column] = [mine[column] for mine in derived]
        for column in ("cores", "memory_bytes", "price_per_hour"):
            self.clouds[column] = [getattr(cloud_vm.size, column) for cloud_vm in self.clouds.identities]

    def add_app(self, app_vm: AppVM, cloud_row: int) -> None:
        """An app VM begins to serve now; its first sample is still to come."""
        mine = self.columns_of(app_vm)
        self.apps.append(app_vm, place=cloud_row, started_at=self.now, sampled_at=self.now, sample_cores=np.nan, **mine)

    def remove_app(self, row: int) -> None:
        self.tally.forget(self.apps.identities[row].id)
        self.apps.remove([row])

    def add_cloud(self, cloud_vm: CloudVM, dies_at: float) -> None:
        """A cloud VM exists, and is paid for, from now on."""
        size = cloud_vm.size
        self.clouds.append(
            cloud_vm,
            cores=size.cores,
            memory_bytes=size.memory_bytes,
            price_per_hour=size.price_per_hour,
            created_at=self.now,
            dies_at=dies_at,
        )
        self.rented += 1

    def set_state(self, cloud_row: int, state: CloudVMState) -> None:
        old = self.clouds.identities[cloud_row]
        self.clouds.replace(cloud_row, CloudVM(id=old.id, size=old.size, state=state))

    def remove_cloud(self, cloud_row: int) -> tuple[str, ...]:
        """The cloud VM is gone and paid for, at least for the minimum period. Returns the app VMs that went with it."""
        owed_s = self.scenario.minimum_billing_s - (self.now - float(self.clouds["created_at"][cloud_row]))
        self.tally.cost += max(0.0, owed_s) * float(self.clouds["price_per_hour"][cloud_row]) / 3600.0
        victims = np.flatnonzero(self.apps["place"] == cloud_row).tolist()
        lost = tuple(self.apps.identities[row].id for row in victims)
        if victims:
            self.apps.remove(victims)
        for name in lost:
            self.tally.forget(name)
        self.clouds.remove([cloud_row])
        self.apps["place"][self.apps["place"] > cloud_row] -= 1
        return lost

    def end(self, under: Underway, outcome: Outcome, reason: str = "", *, keep: int) -> None:
        """Write down how a step ended; of those already reported, the last `keep` are remembered."""
        self.underway.pop(under.step, None)
        self.outcomes[under.step] = StepEnded(
            at=self.now,
            step=under.step,
            outcome=outcome,
            reason=reason,
            total_s=self.now - under.began_at,
            downtime_s=under.downtime_s if outcome is Outcome.DONE else 0.0,
            sent_bytes=under.sent_bytes,
        )
        self.unreported[under.step] = None
        for step in list(self.outcomes)[: max(0, len(self.outcomes) - keep)]:
            if step not in self.unreported:
                del self.outcomes[step]
