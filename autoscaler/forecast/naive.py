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


@dataclass(slots=True, eq=False)
class LastValue:
    """The newest value, as wide as values have changed over the same number of steps before."""

    known_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)

    def fit(self, series: Series) -> Self:
        self.known_ = series.known
        return self

    def resume(self, series: Series) -> Self:
        """There is nothing to learn: as fitted to it."""
        return replace(self).fit(series)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        known = self.known_[-ERRORS_REMEMBERED:]
        if not len(known):
            return np.zeros((steps, len(quantiles)))
        ahead = np.minimum(np.arange(1, steps + 1), max(1, len(known) // 2))
        changes = [np.quantile(known[h:] - known[:-h], quantiles) if len(known) > h else 0.0 * quantiles for h in ahead]
        return tidy(known[-1] + np.array(changes))


@dataclass(slots=True, eq=False)
class SeasonalNaive:
    """The value one season before, as wide as this rule was wrong before."""

    season_s: float = DAY_S
    known_: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)
    season_: int = 1

    def fit(self, series: Series) -> Self:
        self.known_, self.season_ = series.known, series.steps(self.season_s)
        return self

    def resume(self, series: Series) -> Self:
        """There is nothing to learn: as fitted to it."""
        return replace(self).fit(series)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        season, known = self.season_, self.known_
        if len(known) < 2 * season:
            raise ValueError(f"two seasons are needed ({2 * season} values), {len(known)} are known")
        before = known[len(known) - season + (np.arange(steps) % season)]
        errors = (known[season:] - known[:-season])[-ERRORS_REMEMBERED:]
        return tidy(before[:, None] + np.quantile(errors, quantiles)[None, :])
