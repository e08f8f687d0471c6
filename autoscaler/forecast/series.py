"""One recorded quantity at equal steps: what every forecaster is fitted to. Values, gaps and calendar; no forecasting here.

Separate because "what counts as known" must be the same for all: a gap is filled with the value before it, never with zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from autoscaler.core.snapshot import FloatArray

DAY_S = 86400.0
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, eq=False)
class Series:
    """values: (t,) oldest first, NaN where nothing came, never negative. begins_at: seconds since the epoch, UTC."""

    values: FloatArray
    step_s: float
    begins_at: float = 0.0

    @cached_property
    def known(self) -> FloatArray:
        """(t,) with each gap filled by the value before it, a leading gap by the first value; empty where nothing came."""
        came = ~np.isnan(self.values)
        if not came.any():
            return np.zeros(0)
        newest = np.maximum.accumulate(np.where(came, np.arange(len(self.values)), -1))
        return np.asarray(self.values[np.maximum(newest, int(np.argmax(came)))], dtype=np.float64)

    @property
    def missing_fraction(self) -> float:
        return float(np.isnan(self.values).mean()) if len(self.values) else 1.0

    def steps(self, duration_s: float) -> int:
        """How many steps come closest to `duration_s`, at least one."""
        return max(1, round(duration_s / self.step_s))

    def times(self, first: int, count: int) -> FloatArray:
        """(count,) times of the steps from number `first` on; those after the last value lie in the future."""
        return np.asarray(self.begins_at + self.step_s * (first + np.arange(count)), dtype=np.float64)

    def until(self, count: int) -> Series:
        """The first `count` values: what was known then."""
        return Series(self.values[:count], self.step_s, self.begins_at)

    def last(self, count: int) -> Series:
        """The last `count` values."""
        first = max(0, len(self.values) - count)
        return Series(self.values[first:], self.step_s, self.begins_at + first * self.step_s)


class Forecaster(Protocol):
    """scikit-learn's conventions: the constructor only keeps hyper-parameters, `fit` learns, `predict` tells.

    predict: (steps, quantiles) of the values after the last one known, each row ascending, never negative.
    resume: another one, that knows all of `series` (which begins with what was fitted) and has learned nothing anew.
    """

    def fit(self, series: Series) -> Self: ...

    def resume(self, series: Series) -> Self: ...

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray: ...


def tidy(quantiles_of: FloatArray) -> FloatArray:
    """Quantiles that do not cross and are not negative."""
    return np.asarray(np.maximum(np.sort(quantiles_of, axis=1), 0.0), dtype=np.float64)
