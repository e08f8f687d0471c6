"""Forecasts without a model: it stays as it is, or it will be as it was a season ago. The rivals every other must beat.

Quantiles come from the same rule's own errors in the past. Nothing is smoothed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.series import DAY_S, Series, tidy

ERRORS_REMEMBERED = 2016  # a week of five-minute steps
LEAST_LEVEL = 0.1  # of the mean: below it, changes are not reckoned in proportion to the value any more


@dataclass(slots=True, eq=False)
class LastValue:
    """The newest value, as wide as values have changed over the same number of steps before; `proportional`: in proportion to
    what they changed from, for a load whose noise grows with it."""

    proportional: bool = False
    known_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)
    learned_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)
    changes_: dict[tuple[int, bytes], FloatArray] = field(default_factory=dict, repr=False)

    def fit(self, series: Series) -> Self:
        self.known_, self.learned_, self.changes_ = series.known, series.known[-ERRORS_REMEMBERED:], {}
        return self

    def resume(self, series: Series) -> Self:
        return replace(self, known_=series.known)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        if not len(self.known_):
            return np.zeros((steps, len(quantiles)))
        ahead = np.minimum(np.arange(1, steps + 1), max(1, len(self.learned_) // 2)).tolist()
        newest = float(self.known_[-1])
        return tidy(newest + self._level(newest) * np.array([self._changes(h, quantiles) for h in ahead]))

    def _level(self, values: FloatArray | float) -> FloatArray | float:
        """What a change is a share of."""
        return np.maximum(values, LEAST_LEVEL * self.learned_.mean()) if self.proportional else 1.0

    def _changes(self, ahead: int, quantiles: FloatArray) -> FloatArray:
        """Remembered: what was learned does not change, and it is asked for at every origin of a backtest."""
        key, learned = (ahead, quantiles.tobytes()), self.learned_
        if key not in self.changes_:
            before = learned[:-ahead]
            changes = np.nan_to_num((learned[ahead:] - before) / self._level(before)) if len(before) else np.zeros(1)
            self.changes_[key] = np.quantile(changes, quantiles)
        return self.changes_[key]


@dataclass(slots=True, eq=False)
class SeasonalNaive:
    """The value one season before, as wide as this rule was wrong before."""

    season_s: float = DAY_S
    known_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)
    season_: int = 1
    errors_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)

    def fit(self, series: Series) -> Self:
        self.known_, self.season_ = series.known, series.steps(self.season_s)
        self.errors_ = np.sort((self.known_[self.season_ :] - self.known_[: -self.season_])[-ERRORS_REMEMBERED:])
        return self

    def resume(self, series: Series) -> Self:
        return replace(self, known_=series.known)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        season, known = self.season_, self.known_
        if len(known) < 2 * season or not len(self.errors_):
            raise ValueError(f"two seasons are needed ({2 * season} values), {len(known)} are known")
        before = known[len(known) - season + (np.arange(steps) % season)]
        at = np.interp(quantiles, np.linspace(0.0, 1.0, len(self.errors_)), self.errors_)
        return tidy(before[:, None] + at[None, :])
