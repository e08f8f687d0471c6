"""Which forecasters there are, by the names that policies use, and how one is judged. No forecasting method may be here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.boosting import QuantileBoosting
from autoscaler.forecast.histogram import DecayingHistogram
from autoscaler.forecast.holt_winters import HoltWinters
from autoscaler.forecast.naive import LastValue, SeasonalNaive
from autoscaler.forecast.series import WEEK_S, Forecaster

FORECASTERS: Mapping[str, Callable[[], Forecaster]] = {
    "last_value": LastValue,
    "proportional": lambda: LastValue(proportional=True),
    "seasonal_naive": SeasonalNaive,
    "weekly_naive": lambda: SeasonalNaive(season_s=WEEK_S),
    "histogram": DecayingHistogram,
    "holt_winters": HoltWinters,
    "boosting": QuantileBoosting,
}
QUANTILES = np.array([0.5, 0.9, 0.99])  # what benchmarks judge on
MISSING_MOST = 0.25  # of the last day
REGIME = 3.0  # the chosen one's loss in the last hour, over that of a bad hour before, that counts as another world


def pinball(truth: FloatArray, told: FloatArray, quantiles: FloatArray) -> float:
    """Mean pinball loss of told (steps, q) against truth (steps,); Koenker & Bassett, Econometrica 1978."""
    over = truth[:, None] - told
    return float(np.maximum(quantiles * over, (quantiles - 1.0) * over).mean())
