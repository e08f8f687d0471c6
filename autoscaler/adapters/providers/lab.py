"""A lab on this machine as a cloud: QEMU machines with real Xen, made and removed while the controller runs.

The lab's record is the only memory (docs/decisions/0110): a creation that a dead controller began is taken up by name, or
removed where nobody asks for it any more. The work is done by autoscaler.lab in threads that the controller never waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.adapters.providers import Rented
from autoscaler.core.model import CloudVMSize, CloudVMState
from autoscaler.errors import ActuationError, FlexCapsuleError, SourceError
from autoscaler.lab import bringup, expansion, machine, record
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import CloudVMShape, Record

MIB = 1 << 20
PATIENCE_S = 600.0  # ready within 30 s on free cores; many times that where several start under emulation
ORPHAN_TURNS = 3  # a half-made cloud VM that nobody has asked for by then was a dead controller's


class Yard(Protocol):
    """What is needed of a lab: its record, whether a machine lives, and the two acts."""

    def read(self) -> Record | None: ...

    def running(self, lab: Record, cloud_vm: str) -> bool: ...

    def add(self, cores: int, memory_mib: int, called: str) -> object: ...

    def remove(self, cloud_vm: str) -> object: ...


@dataclass(frozen=True, slots=True)
class RealYard:
    """The lab `name` of this machine."""

    name: str
    patience_s: float = PATIENCE_S

    def read(self) -> Record | None:
        return record.read(self.name)

    def running(self, lab: Record, cloud_vm: str) -> bool:
        return machine.running(lab.layout, cloud_vm)

    def add(self, cores: int, memory_mib: int, called: str) -> object:
        return expansion.add(
            self.name, cores, memory_mib, called=called, follow=lambda _progress: None, patience_s=self.patience_s
        )

    def remove(self, cloud_vm: str) -> object:
        return expansion.remove(self.name, cloud_vm)


def in_thread(work: Callable[[], None]) -> None:
    """Begin it beside the loop. It ends with the process: whoever comes next takes it up."""
    threading.Thread(target=work, daemon=True).start()


@dataclass(slots=True)
class _Underway:
    """What this process has begun, by controller's names, and what came of it."""

    creating: set[str] = field(default_factory=set)
    releasing: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    orphan_turns: dict[str, int] = field(default_factory=dict)


class LabCloud:
    """`sizes`: the catalogue, by what a cloud VM offers to app VMs; `most`: cloud VMs that the machine can carry."""

    def __init__(
        self,
        name: str,
        sizes: Sequence[CloudVMSize],
        *,
        most: int = 8,
        yard: Yard | None = None,
        begin: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self.name, self._sizes, self._most = name, tuple(sizes), most
        self._yard, self._begin = yard or RealYard(name), begin
        self._underway = _Underway()

    def catalogue(self) -> tuple[CloudVMSize, ...]:
        """Nothing where the lab is full."""
        lab = self._yard.read()
        return self._sizes if lab is not None and len(lab.cloud_vms) < self._most else ()

    def cloud_vms(self) -> Sequence[Rented]:
        lab = self._yard.read()
        if lab is None:
            raise SourceError(f"there is no lab {self.name!r}; `flexcapsule lab up --name {self.name}` makes it")
        return [self._rented(lab, shape) for shape in lab.cloud_vms if not self._gone(lab, shape)]

    def sweep(self) -> None:
        lab = self._yard.read()
        for shape in lab.cloud_vms if lab is not None else ():
            if lab is not None and (self._gone(lab, shape) or self._orphaned(shape)):
                self.release(shape.called or shape.name)

    def create(self, id_: str, size: CloudVMSize) -> None:
        if size.name not in {known.name for known in self._sizes}:
            raise ActuationError(f"the lab has no size {size.name}", temporary=False)
        if id_ in self._underway.creating:
            return
        self._underway.creating.add(id_)
        self._underway.failures.pop(id_, None)
        self._begin(lambda: self._create(id_, size))

    def release(self, id_: str) -> None:
        if id_ in self._underway.releasing:
            return
        self._underway.releasing.add(id_)
        self._underway.failures.pop(id_, None)
        self._begin(lambda: self._release(id_))

    def failure(self, id_: str) -> str:
        return self._underway.failures.get(id_, "")

    def _create(self, id_: str, size: CloudVMSize) -> None:
        """A creation that fails leaves nothing behind: it is told as failed only after what was made is removed."""
        try:
            self._yard.add(int(size.cores), machine.memory_mib_for(size.memory_bytes / MIB), id_)
        except (FlexCapsuleError, OSError) as error:
            first = str(error).splitlines()[0]
            rest = self._removed(id_)
            self._underway.failures[id_] = first + (
                f"; and what was made of it could not be removed: {rest}" if rest else ""
            )
        finally:
            self._underway.creating.discard(id_)

    def _release(self, id_: str) -> None:
        try:
            rest = self._removed(id_)
            if rest:
                self._underway.failures[id_] = rest
        finally:
            self._underway.releasing.discard(id_)

    def _removed(self, id_: str) -> str:
        """Remove whatever there is of it; why that failed, or ""."""
        try:
            lab = self._yard.read()
            own = next((s.name for s in lab.cloud_vms if id_ in (s.called, s.name)), None) if lab else None
            if own is not None:
                self._yard.remove(own)
        except (FlexCapsuleError, OSError) as error:
            return str(error)
        return ""

    def _gone(self, lab: Record, shape: CloudVMShape) -> bool:
        """Whether its machine has ended, whoever ended it. One that is not ready yet is being made, or was."""
        return shape.ready and not self._yard.running(lab, shape.name)

    def _orphaned(self, shape: CloudVMShape) -> bool:
        """Whether a controller began it, it is half made, and nobody has asked for it since this one started. What a person adds
        by hand has no second name."""
        id_ = shape.called
        if shape.ready or not id_ or id_ in self._underway.creating:
            return False
        turns = self._underway.orphan_turns[id_] = self._underway.orphan_turns.get(id_, 0) + 1
        return turns >= ORPHAN_TURNS

    def _rented(self, lab: Record, shape: CloudVMShape) -> Rented:
        id_, number = shape.called or shape.name, ordinal(shape.name)
        state = CloudVMState.ACTIVE if shape.ready else CloudVMState.STARTING
        if id_ in self._underway.releasing:
            state = CloudVMState.DRAINING
        return Rented(id_, self._size(shape), state, shape.name, lab.layout.front(number), lab.layout.back(number))

    def _size(self, shape: CloudVMShape) -> CloudVMSize:
        """The biggest size of the catalogue that the machine is good for."""
        offered = machine.offered_mib(shape.memory_mib) * MIB
        fitting = [size for size in self._sizes if size.cores == shape.cores and size.memory_bytes <= offered]
        if not fitting:
            raise SourceError(
                f"cloud VM {shape.name} of lab {self.name} ({shape.cores} cores, {offered // MIB} MiB for app VMs) is of no size "
                "of the catalogue: add such a size to the config, or remove the cloud VM from the lab"
            )
        return max(fitting, key=lambda size: size.memory_bytes)


def check(name: str) -> None:
    """Raises UsageError where this process cannot drive the lab."""
    bringup.require_root()
    record.existing(name)
