"""What measured migrations say about the model: for total time, pause and bytes, the median of measured over predicted.

Separate from migration.py because that is a model on paper, the same everywhere, and this is one cluster's experience with it: a
value in the engine's state, so that a restart keeps it and a folded journal gives the same predictions. One correction for the
whole cluster: pairs of cloud VMs come and go before any of them has enough to say (docs/decisions/0114).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from statistics import median

from autoscaler.core.migration import Prediction

REMEMBERED = 31  # newest migrations: enough for a steady median, few enough to follow a change of network within a day
DOUBT = 2  # imagined migrations that went as the model says: one odd measurement alone moves nothing


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of one figure: measured over predicted of the newest migrations that measured it, oldest first, and their median."""

    factor: float = 1.0
    newest: tuple[float, ...] = ()

    def learned(self, measured: float, predicted: float) -> Ratio:
        """With one migration more; the same where it did not measure this figure (0)."""
        if not (isfinite(measured) and measured > 0 and predicted > 0):
            return self
        newest = (*self.newest, measured / predicted)[-REMEMBERED:]
        return Ratio(median((*newest, *(1.0,) * DOUBT)), newest)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of one migration: what the model alone says (what measurements are compared with), and that corrected (what is expected)."""

    by_model: Prediction
    corrected: Prediction


@dataclass(frozen=True, slots=True)
class Correction:
    """Multiplies the model's figures; 1 each, before anything was measured."""

    total: Ratio = field(default_factory=Ratio)
    downtime: Ratio = field(default_factory=Ratio)
    sent: Ratio = field(default_factory=Ratio)

    def of(self, by_model: Prediction) -> Prediction:
        """What is expected where the model alone says `by_model`."""
        return Prediction(
            by_model.total_s * self.total.factor,
            by_model.downtime_s * self.downtime.factor,
            by_model.sent_bytes * self.sent.factor,
        )

    def learned(self, by_model: Prediction, took: Prediction) -> Correction:
        """With one migration more: what the model said of it, and what it took; figures that are 0 were not measured."""
        return Correction(
            self.total.learned(took.total_s, by_model.total_s),
            self.downtime.learned(took.downtime_s, by_model.downtime_s),
            self.sent.learned(took.sent_bytes, by_model.sent_bytes),
        )
