"""What the app VMs are asked to do, in cores, as a function of time only: from shapes, or as recorded.

Separate because demand knows nothing of who serves it: a *subject* is a service (split over its replicas by the world) or
one app VM. No placement, no capacity, no state: the demand of any instant can be asked in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.sim.chance import Purpose, stream
from autoscaler.sim.scenario import DemandShape, Flash

DAY_S = 86400.0
HOUR_S = 3600.0
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday, Monday being 0
SATURDAY = 5


class Demand(Protocol):
    """Demand of `subjects` (ids of services and app VMs): constant from one multiple of its step to the next."""

    @property
    def subjects(self) -> tuple[str, ...]: ...

    def at(self, now: float) -> FloatArray:
        """(subjects,) cores asked for at `now`."""
        ...

    def next_change(self, now: float) -> float:
        """The first instant after `now` at which it may change."""
        ...

    def memory_bytes(self, now: float) -> FloatArray | None:
        """(subjects,) memory in use where it was recorded, NaN where it was not; None: it follows from the behaviours."""
        ...


class _Steps:
    """Time cut into steps of equal length from `start_at` on."""

    def __init__(self, start_at: float, step_s: float) -> None:
        self.start_at, self.step_s = start_at, step_s

    def ordinal(self, now: float) -> int:
        """Which step `now` is in; a boundary belongs to the step it begins, also where the division rounds down."""
        ordinal = math.floor((now - self.start_at) / self.step_s)
        return ordinal + 1 if self.begin(ordinal + 1) <= now else ordinal

    def begin(self, ordinal: int) -> float:
        return self.start_at + ordinal * self.step_s


class ShapedDemand:
    """Demand made from shapes, with noise drawn anew in every step (seeded; the same for every run and reading order)."""

    def __init__(self, shapes: Mapping[str, DemandShape], *, start_at: float, step_s: float, seed: int) -> None:
        self.subjects = tuple(shapes)
        self._steps, self._seed = _Steps(start_at, step_s), seed
        self._part = {
            name: np.array([getattr(shape, name) for shape in shapes.values()], dtype=np.float64)
            for name in DemandShape.__slots__
            if name != "flashes"
        }
        self._flashes = [(row, flash) for row, shape in enumerate(shapes.values()) for flash in shape.flashes]

    def at(self, now: float) -> FloatArray:
        ordinal = self._steps.ordinal(now)
        time = self._steps.begin(ordinal)
        smooth = self._part["base_cores"] + self._diurnal(time) + self._bursts(time)
        for row, flash in self._flashes:
            smooth[row] += flash_cores(flash, time - self._steps.start_at)
        if weekday(time) >= SATURDAY:
            smooth *= self._part["weekend_factor"]
        return np.maximum(0.0, smooth * self._noise(ordinal))

    def next_change(self, now: float) -> float:
        return self._steps.begin(self._steps.ordinal(now) + 1)

    def memory_bytes(self, now: float) -> FloatArray | None:
        del now
        return None

    def _diurnal(self, time: float) -> FloatArray:
        angle = 2 * np.pi * (time % DAY_S / HOUR_S - self._part["peak_hour"]) / 24.0
        return np.asarray(self._part["swing_cores"] * ((1 + np.cos(angle)) / 2) ** self._part["sharpness"])

    def _bursts(self, time: float) -> FloatArray:
        period_s = self._part["burst_period_s"]
        into = (time - self._steps.start_at - self._part["burst_offset_s"]) % period_s
        return np.where(into < self._part["burst_fraction"] * period_s, self._part["burst_cores"], 0.0)

    def _noise(self, ordinal: int) -> FloatArray:
        normal = stream(self._seed, Purpose.NOISE, ordinal).standard_normal(len(self.subjects))
        return np.asarray(1 + self._part["noise_fraction"] * normal)


class RecordedDemand:
    """Demand as recorded: `cores` of shape (steps, subjects), NaN = none asked for. After the last step, the last one holds."""

    def __init__(
        self,
        subjects: Sequence[str],
        cores: FloatArray,
        *,
        start_at: float,
        step_s: float,
        memory_bytes: FloatArray | None = None,
    ) -> None:
        if cores.ndim != 2 or cores.shape[1] != len(subjects) or not len(cores):
            raise ValueError(
                f"recorded demand has shape {cores.shape}, expected (1 or more steps, {len(subjects)} subjects)"
            )
        self.subjects = tuple(subjects)
        self._steps = _Steps(start_at, step_s)
        self._cores = np.maximum(np.nan_to_num(cores, nan=0.0), 0.0)
        self._memory_bytes = memory_bytes

    def at(self, now: float) -> FloatArray:
        return np.asarray(self._cores[self._row(now)])

    def memory_bytes(self, now: float) -> FloatArray | None:
        return None if self._memory_bytes is None else np.asarray(self._memory_bytes[self._row(now)])

    def _row(self, now: float) -> int:
        return min(max(self._steps.ordinal(now), 0), len(self._cores) - 1)

    def next_change(self, now: float) -> float:
        ordinal = self._steps.ordinal(now)
        return self._steps.begin(ordinal + 1) if ordinal + 1 < len(self._cores) else math.inf


def flash_cores(flash: Flash, elapsed_s: float) -> float:
    """What a flash crowd adds `elapsed_s` after the start: a trapezium."""
    since_s = elapsed_s - flash.at_s
    if flash.every_s > 0 and since_s >= 0:
        since_s %= flash.every_s
    rising = since_s / flash.rise_s if flash.rise_s > 0 else float(since_s >= 0)
    left_s = flash.rise_s + flash.hold_s + flash.fall_s - since_s
    falling = left_s / flash.fall_s if flash.fall_s > 0 else float(left_s > 0)
    return flash.cores * max(0.0, min(1.0, rising, falling))


def weekday(time: float) -> int:
    """Day of the week in UTC, 0 = Monday."""
    return (int(time // DAY_S) + EPOCH_WEEKDAY) % 7
