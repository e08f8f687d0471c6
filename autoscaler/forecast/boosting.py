"""Quantile regression by gradient-boosted trees over what is known: recent values, the same time a day and a week ago, the clock.

One model per quantile (scikit-learn), for all horizons at once: how many steps ahead is a feature. What is learned is the change
from the newest value, relative to the recent mean, so that growth does not leave the range the trees have seen. No hyper-parameter search here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.forecast.series import DAY_S, WEEK_S, Series, tidy

LAGS = (0, 1, 2, 3, 6, 12)
ROWS_MOST = 4000
RECENT_S = 3600.0


@dataclass(slots=True, eq=False)
class QuantileBoosting:
    """`horizon_steps`: how far ahead it learns to look; further than that it repeats the last step it knows."""

    horizon_steps: int = 12
    trees: int = 80
    series_: Series | None = field(default=None, repr=False)
    models_: dict[float, Any] = field(default_factory=dict, repr=False)
    rows_: tuple[FloatArray, FloatArray] | None = field(default=None, repr=False)
    used_: BoolArray | None = field(default=None, repr=False)

    def fit(self, series: Series) -> Self:
        """Keeps the training rows; a quantile's trees are grown when it is first asked for."""
        day, least = series.steps(DAY_S), max(LAGS) + 1
        first = min(day, len(series.known) // 3) + least
        origins = np.arange(first, len(series.known) - self.horizon_steps)
        if len(origins) < 10 * self.horizon_steps:
            raise ValueError(f"{first + 11 * self.horizon_steps} values are needed, {len(series.known)} are known")
        pairs = np.stack(np.meshgrid(origins, np.arange(1, self.horizon_steps + 1), indexing="ij"), axis=-1).reshape(
            -1, 2
        )
        pairs = pairs[:: max(1, len(pairs) // ROWS_MOST + 1)]
        origin, ahead = pairs[:, 0], pairs[:, 1]
        scale = _scale(series, origin)
        self.series_ = series
        rows = features(series, origin, ahead, scale)
        # a week ago was before the first week: scikit-learn bins no empty column
        self.used_ = np.asarray(np.isfinite(rows).any(axis=0), dtype=np.bool_)
        self.rows_ = (
            rows[:, self.used_],
            (series.known[origin + ahead - 1] - series.known[origin - 1]) / scale,
        )
        self.models_ = {}
        return self

    def resume(self, series: Series) -> Self:
        """The trees stay; they are asked about newer values."""
        return replace(self, series_=series)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        assert self.series_ is not None, "fit comes first"
        origin = np.full(steps, len(self.series_.known))
        ahead = np.minimum(np.arange(1, steps + 1), self.horizon_steps)
        scale = _scale(self.series_, origin)
        rows = features(self.series_, origin, ahead, scale)[:, self.used_]
        models = [self._model(float(q)) for q in quantiles]
        with threadpool_limits(1):
            told = [self.series_.known[-1] + model.predict(rows) * scale for model in models]
        return tidy(np.stack(told, axis=1))

    def _model(self, quantile: float) -> Any:
        assert self.rows_ is not None
        if quantile not in self.models_:
            from sklearn.ensemble import HistGradientBoostingRegressor  # 150 MB, which most replays and runs never need

            model = HistGradientBoostingRegressor(
                loss="quantile", quantile=quantile, max_iter=self.trees, max_leaf_nodes=15, learning_rate=0.08,
                min_samples_leaf=20, early_stopping=False, random_state=0,
            )  # fmt: skip
            with threadpool_limits(1):  # trees this small lose more to waiting threads than they win
                self.models_[quantile] = model.fit(*self.rows_)
        return self.models_[quantile]


def features(series: Series, origin: IntArray, ahead: IntArray, scale: FloatArray) -> FloatArray:
    """(rows, features). `origin`: how many values were known; `ahead`: 1 = the step right after them."""
    known, day, week = series.known, series.steps(DAY_S), series.steps(WEEK_S)
    target = origin + ahead - 1
    lags = [known[np.maximum(origin - 1 - lag, 0)] / scale for lag in LAGS]
    for season in (day, week):
        for shift in (-1, 0, 1):
            row = target - season + shift
            there = (row >= 0) & (row < origin)
            lags.append(np.where(there, known[np.clip(row, 0, len(known) - 1)] / scale, np.nan))
    at = series.begins_at + series.step_s * target
    turn = 2 * np.pi * (at % DAY_S) / DAY_S
    weekday = np.floor(at / DAY_S + 3) % 7  # the epoch was a Thursday; 0 = Monday
    return np.stack([*lags, ahead.astype(np.float64), np.sin(turn), np.cos(turn), weekday], axis=1)


def _scale(series: Series, origin: IntArray) -> FloatArray:
    """Mean of the last hour before each origin, never zero."""
    width = series.steps(RECENT_S)
    sums = np.concatenate([[0.0], np.cumsum(series.known)])
    begin = np.maximum(origin - width, 0)
    mean = (sums[origin] - sums[begin]) / np.maximum(origin - begin, 1)
    return np.asarray(np.maximum(mean, 1e-3 * max(float(series.known.mean()), 1e-9)), dtype=np.float64)
