"""What services will ask for, by the forecaster that a policy names: medians, a high quantile, and by whom or why not.

Separate from `demand`, which knows what was measured: a forecast may ask for more than was measured, never for less, and where
there is none the measured remains. Which forecasters there are is forecast's knowledge; nothing is wished for here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np

from autoscaler.core.migration import predict_totals_s
from autoscaler.core.past import STEP_S
from autoscaler.core.snapshot import DIRTY, NOWHERE, FloatArray, Snapshot
from autoscaler.forecast import rolling
from autoscaler.forecast.series import Series
from autoscaler.strategies.demand import Demand

ForecastName = Literal[
    "auto",
    "none",
    "last_value",
    "proportional",
    "seasonal_naive",
    "weekly_naive",
    "histogram",
    "holt_winters",
    "boosting",
]
FORECAST_DOC = (
    "who foretells the load of services: a forecaster, `auto` (whoever was best on the day before), or `none`"
)
FEW = 8  # services; trees are grown for each of them in about a second, so `auto` tries them for no more
LATER_S = 900.0  # who is stopped should not be missed before this
LEAST_SPREAD = 0.01  # of the median: nobody knows a load that well


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """(services,) `middle` and `high`: the most of the medians and of the wanted quantiles until what is decided now serves;
    `later`: the most of the medians until LATER_S after that. NaN where nothing is foretold. `reasons`: by whom, or why not."""

    middle: FloatArray
    high: FloatArray
    later: FloatArray
    reasons: tuple[str, ...]


def foresee(snapshot: Snapshot, name: ForecastName, odds: float, lead_s: float) -> Foresight:
    """`odds`: of the quantile `high`, above 0.5; `lead_s`: until what is decided now serves."""
    kinds, past = len(snapshot.services), snapshot.past
    middle, high, later = (np.full(kinds, np.nan) for _ in range(3))
    found = Foresight(middle, high, later, ("measured only: no forecast is asked for",) * kinds)
    if name == "none" or len(past.services) != kinds:
        return found
    few = ("boosting",) if kinds <= FEW else ()
    names = (*rolling.QUICK, *few) if name == "auto" else (name,)
    soon, late = (1 + ceil(until_s / STEP_S) for until_s in (lead_s, lead_s + LATER_S))  # the step that runs is one
    reasons = []
    for row, service in enumerate(past.services):
        told = rolling.tell(Series(past.cores[row], STEP_S, past.begins_at), names, late, (0.5, odds), service)
        reasons.append(f"forecast by {told.reason}" if told.cores is not None else f"measured only: {told.reason}")
        if told.cores is not None:
            middle[row], high[row] = told.cores[:soon].max(axis=0)
            later[row] = told.cores[:, 0].max()
    return replace(found, reasons=tuple(reasons))


def lead_s(snapshot: Snapshot, start_up_s: float, bandwidth_bytes_per_s: float) -> float:
    """Until a cloud VM that is rented now serves: its start-up, and the longest migration to it."""
    running = snapshot.placement != NOWHERE
    if not running.any():
        return start_up_s
    dirty = np.nan_to_num(snapshot.latest(DIRTY)) if DIRTY in snapshot.usage else np.zeros(len(running))
    totals_s = predict_totals_s(snapshot.memory_in_use_bytes[running], dirty[running], bandwidth_bytes_per_s)
    return start_up_s + float(totals_s.max())


def expected(measured: Demand, foreseen: Foresight, deviations: float) -> Demand:
    """What is to be reckoned with: where there is a forecast its spread, and no less than it or than what is measured now.
    `high`, by which alone replicas may be taken away, is never below what was measured."""
    told = ~np.isnan(foreseen.middle)
    now = np.where(told, np.fmax(measured.seen, foreseen.middle), measured.now)
    spread = np.maximum((foreseen.high - foreseen.middle) / max(deviations, 1.0), LEAST_SPREAD * now)
    high = np.where(told, np.fmax(np.fmax(measured.most, now), foreseen.later), measured.high)
    return Demand(now, high, np.where(told, spread, measured.spread), measured.seen, measured.most)
