"""What the load usually is, whenever: quantiles of all that was seen, old values counting ever less.

The rule by which Kubernetes' vertical autoscaler sizes a container (a decaying histogram with a half-life of a day, in buckets
that widen by 5 %). It knows no time of day: for load that has none, or for sizes that should last.
Source: kubernetes/autoscaler, vertical-pod-autoscaler/docs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.series import DAY_S, Series, tidy

BUCKET_GROWTH = 1.05


@dataclass(slots=True, eq=False)
class DecayingHistogram:
    """`half_life_s`: a value this old counts half."""

    half_life_s: float = DAY_S
    edges_: FloatArray = field(default_factory=lambda: np.zeros(1), repr=False)
    weights_: FloatArray = field(default_factory=lambda: np.zeros(1), repr=False)

    def fit(self, series: Series) -> Self:
        known = series.known
        if not len(known):
            self.edges_, self.weights_ = np.zeros(1), np.ones(1)
            return self
        first = max(float(known.max()), 1e-9) * 1e-3
        bucket = np.ceil(np.log(np.maximum(known, first) / first) / np.log(BUCKET_GROWTH) - 1e-9).astype(np.int64)
        age_s = series.step_s * np.arange(len(known))[::-1]
        self.weights_ = np.asarray(np.bincount(bucket, weights=0.5 ** (age_s / self.half_life_s)), dtype=np.float64)
        self.edges_ = np.asarray(first * BUCKET_GROWTH ** np.arange(len(self.weights_)), dtype=np.float64)
        return self

    def resume(self, series: Series) -> Self:
        """There is nothing to learn: as fitted to it."""
        return replace(self).fit(series)

    def predict(self, steps: int, quantiles: FloatArray) -> FloatArray:
        share = np.cumsum(self.weights_) / self.weights_.sum()
        rows = np.minimum(np.searchsorted(share, quantiles - 1e-12), len(share) - 1)
        return tidy(np.tile(self.edges_[rows], (steps, 1)))
