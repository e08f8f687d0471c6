"""Level, damped trend and season, each smoothed exponentially: the additive Holt-Winters method.

Written here, not taken from a library, because it is a page of arithmetic and the library that has it brings a hundred more.
The smoothing weights are chosen from a small grid by the squared error of one-step forecasts; all are run at once.
Source: Hyndman & Athanasopoulos, Forecasting: principles and practice, 3rd edition, sections 8.3 and 8.7.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Self

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.series import DAY_S, Series, tidy

GRID = np.array(list(product((0.05, 0.2, 0.5, 0.8), (0.0, 0.05), (0.05, 0.2, 0.5))))  # level, trend, season
DAMPING = 0.95
SEASONS_USED = 4  # weights are chosen on two; older ones change the forecast by less than they take time


@dataclass(slots=True, eq=False)
class HoltWinters:
    """`season_s`: length of the season."""

    season_s: float = DAY_S
    ahead_: tuple[float, float] = (0.0, 0.0)
    season_: FloatArray = field(default_factory=lambda: np.zeros(1), repr=False)
    errors_: FloatArray = field(default_factory=lambda: np.zeros(1), repr=False)
    weights_: tuple[float, float, float] = (0.2, 0.0, 0.2)
    fitted_: int = 0

    def fit(self, series: Series) -> Self:
        season = series.steps(self.season_s)
        known = series.known[-SEASONS_USED * season :]
        if len(known) < 2 * season + 1:
            raise ValueError(f"two seasons are needed ({2 * season + 1} values), {len(known)} are known")
        level, trend, seasonal, errors = smooth(known, season)
        best = int(np.argmin((errors[-2 * season :] ** 2).mean(axis=0)))
        self.ahead_ = (float(level[best]), float(trend[best]))
        self.season_ = np.roll(seasonal[:, best], -(len(known) % season))
        self.errors_ = errors[-2 * season :, best]
        alpha, beta, gamma = GRID[best].tolist()
        self.weights_, self.fitted_ = (alpha, beta, gamma), len(series.known)
        return self

    def resume(self, series: Series) -> Self:
        """Level, trend and season follow the newer values; the weights stay."""
        (level, trend), (alpha, beta, gamma) = self.ahead_, self.weights_
        newer, season, errors = series.known[self.fitted_ :].tolist(), self.season_.tolist(), list[float]()
        for row, value in enumerate(newer):
            here = row % len(season)
            carried = level + DAMPING * trend
            error = value - carried - season[here]
            errors.append(error)
            level, trend = carried + alpha * error, DAMPING * trend + alpha * beta * error
            season[here] += gamma * (1 - alpha) * error
        seen = np.concatenate([self.errors_, errors])[-2 * len(season) :]
        turned = np.roll(np.array(season), -(len(newer) % len(season)))
        return replace(self, ahead_=(level, trend), season_=turned, errors_=seen, fitted_=len(series.known))

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        h = np.arange(1, steps + 1)
        level, trend = self.ahead_
        damped = DAMPING * (1 - DAMPING**h) / (1 - DAMPING)
        middle = level + trend * damped + self.season_[(h - 1) % len(self.season_)]
        wider = np.sqrt(1.0 + (h - 1) * self.weights_[0] ** 2)
        return tidy(middle[:, None] + wider[:, None] * np.quantile(self.errors_, quantiles)[None, :])


def smooth(known: FloatArray, season: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Run every weight of GRID over `known`: level and trend (g,), season (season, g), one-step errors (t - season, g)."""
    alpha, beta, gamma = GRID.T
    first = known[:season]
    level = np.full(len(GRID), float(first.mean()))
    trend = np.zeros(len(GRID))
    seasonal = np.tile((first - first.mean())[:, None], (1, len(GRID)))
    errors = np.empty((len(known) - season, len(GRID)))
    for row in range(season, len(known)):
        here = row % season
        carried = level + DAMPING * trend
        error = known[row] - carried - seasonal[here]
        errors[row - season] = error
        grown = carried + alpha * error
        trend = DAMPING * trend + alpha * beta * error
        seasonal[here] += gamma * (1 - alpha) * error
        level = grown
    return level, trend, seasonal, errors
