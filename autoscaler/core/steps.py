"""What a plan is made of: one step is one thing an actuator can do. The saga treats the action of a step as opaque.

`subjects` are the ids a step changes; `cloud_vms` those it runs on; `arrival` is the (app VM, cloud VM) it will put
somewhere, so that room can be kept for steps in flight without anyone asking what kind of step it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.core.correction import Expectation
from autoscaler.core.model import AppVM, CloudVMSize


@dataclass(frozen=True, slots=True)
class StartAppVM:
    kind: ClassVar[str] = "start_app_vm"
    app_vm: AppVM
    cloud_vm: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.app_vm.id,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def arrival(self) -> tuple[str, str] | None:
        return (self.app_vm.id, self.cloud_vm)


@dataclass(frozen=True, slots=True)
class StopAppVM:
    kind: ClassVar[str] = "stop_app_vm"
    app_vm: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.app_vm,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return ()

    @property
    def arrival(self) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True, slots=True)
class CreateCloudVM:
    kind: ClassVar[str] = "create_cloud_vm"
    cloud_vm: str
    size: CloudVMSize

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def arrival(self) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True, slots=True)
class ReleaseCloudVM:
    kind: ClassVar[str] = "release_cloud_vm"
    cloud_vm: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def arrival(self) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True, slots=True)
class Cordon:
    """No app VM may arrive on it from now on (`on`), or again may (its undo)."""

    kind: ClassVar[str] = "cordon"
    cloud_vm: str
    on: bool = True

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def arrival(self) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True, slots=True)
class Migrate:
    kind: ClassVar[str] = "migrate"
    app_vm: str
    source: str
    target: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.app_vm,)

    @property
    def cloud_vms(self) -> tuple[str, ...]:
        return (self.source, self.target)

    @property
    def arrival(self) -> tuple[str, str] | None:
        return (self.app_vm, self.target)


StepAction = StartAppVM | StopAppVM | CreateCloudVM | ReleaseCloudVM | Cordon | Migrate


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a plan. `requires`: ids of the plan's steps that must be done first. `undo`: the way back while the
    plan is abandoned, None = none is needed or none exists. `deadline_s`: how long before it counts as overdue. `expects`: of
    a migration, what it is expected to take."""

    id: str
    action: StepAction
    requires: tuple[str, ...] = ()
    deadline_s: float = 600.0
    undo: StepAction | None = None
    expects: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """How good a plan is: its objective (money over the horizon), a proven lower bound, and the gap between them. `relief`: of
    all that moves only who is where somebody has to leave, with every cloud VM kept; not of all plans."""

    objective: float
    lower_bound: float | None = None
    relief: bool = False

    @property
    def gap_fraction(self) -> float | None:
        if self.lower_bound is None or self.lower_bound <= 0:
            return None
        return self.objective / self.lower_bound - 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered, capacity-feasible steps for what was granted; `infeasible` says why some of it cannot be reached, and
    `dropped` which: numbers of granted proposals, counted from 0, one for each reason."""

    id: str
    decision: str
    steps: tuple[Step, ...]
    infeasible: tuple[str, ...] = ()
    certificate: Certificate | None = None
    dropped: tuple[int, ...] = ()
