"""What every reader gives: demand on a regular grid of time, and what had to be repaired to get there.

Separate from the readers so that the rest of the house knows one shape only. Values and their meaning; no file may be here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from autoscaler.core.snapshot import FloatArray

Kind = Literal["app_vms", "services"]
GIB = 1 << 30


@dataclass(slots=True)
class Repairs:
    """Rule -> how many values it changed. The rules are these, in the order in which they are applied."""

    short_row: int = 0  # fewer values than there are columns: the others are taken as missing
    not_a_number: int = 0  # unreadable or infinite: taken as missing
    negative: int = 0  # taken as missing
    out_of_order: int = 0  # sorted by time
    duplicate: int = 0  # same subject, same time: the last one counts
    same_step: int = 0  # several in one step: their mean counts
    capacity_zero: int = 0  # switched off at that time: asks for nothing
    over_capacity: int = 0  # more used than there is: cut to what there is
    gap: int = 0  # missing between two samples: the one before holds

    def told(self) -> Iterator[tuple[str, int]]:
        """Those that changed something."""
        for rule in self.__dataclass_fields__:
            count: int = getattr(self, rule)
            if count:
                yield rule, count


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Demand of `subjects` from `start_at` on, in steps of `step_s`.

    cores: (steps, subjects) asked for, NaN before a subject's first and after its last sample. Services whose load is
    recorded in another `unit` (requests, per cent of something) have that in it until `in_cores` scales it.
    memory_bytes: (steps, subjects) in use, or None where it was not recorded.
    allocated_cores, allocated_bytes: (subjects,) what each may use at most; of a service: one replica.
    """

    name: str
    layout: str
    kind: Kind
    start_at: float
    step_s: float
    subjects: tuple[str, ...]
    cores: FloatArray
    allocated_cores: FloatArray
    allocated_bytes: FloatArray
    memory_bytes: FloatArray | None = None
    unit: str = "cores"
    repairs: Repairs = field(default_factory=Repairs)

    @property
    def steps(self) -> int:
        return len(self.cores)

    @property
    def until(self) -> float:
        return self.start_at + self.steps * self.step_s

    def total(self) -> FloatArray:
        """(steps,) of all subjects together."""
        return np.asarray(np.nansum(self.cores, axis=1), dtype=np.float64)

    def in_cores(self, peak_cores: float) -> Trace:
        """A load in other units scaled so that the highest value of all subjects together asks for `peak_cores`."""
        peak = float(self.total().max(initial=0.0))
        if self.unit == "cores" or peak <= 0:
            return self
        return replace(self, cores=self.cores * (peak_cores / peak), unit="cores")

    def between(self, first: int, last: int) -> Trace:
        """Steps `first` to `last`, end excluded."""
        memory = None if self.memory_bytes is None else self.memory_bytes[first:last]
        return replace(
            self, start_at=self.start_at + first * self.step_s, cores=self.cores[first:last], memory_bytes=memory
        )


def service_trace(
    name: str, layout: str, start_at: float, step_s: float, values: FloatArray, unit: str, repairs: Repairs
) -> Trace:
    """A trace of one service, whose replicas have one core and 256 MiB each. values: (steps,)."""
    return Trace(
        name=name,
        layout=layout,
        kind="services",
        start_at=start_at,
        step_s=step_s,
        subjects=(name,),
        cores=np.asarray(values, dtype=np.float64).reshape(-1, 1),
        allocated_cores=np.ones(1),
        allocated_bytes=np.full(1, 0.25 * GIB),
        unit=unit,
        repairs=repairs,
    )


def names_of(subjects: Sequence[object], prefix: str) -> tuple[str, ...]:
    """Numbers get a prefix, so that an id is a word."""
    return tuple(f"{prefix}-{s}" if str(s).isdigit() else str(s) for s in subjects)
