"""Which forecaster: by name, or `auto`, the one that would have been best lately. Judged by pinball loss, rolling origin.

Falls back to the last value where too little is known, too much is missing, or the world has changed since the choice was
made; the reason comes with the choice, so that it can be seen. No forecasting method may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.boosting import QuantileBoosting
from autoscaler.forecast.histogram import DecayingHistogram
from autoscaler.forecast.holt_winters import HoltWinters
from autoscaler.forecast.naive import LastValue, SeasonalNaive
from autoscaler.forecast.series import DAY_S, WEEK_S, Forecaster, Series

FORECASTERS: Mapping[str, Callable[[], Forecaster]] = {
    "last_value": LastValue,
    "seasonal_naive": SeasonalNaive,
    "weekly_naive": lambda: SeasonalNaive(season_s=WEEK_S),
    "histogram": DecayingHistogram,
    "holt_winters": HoltWinters,
    "boosting": QuantileBoosting,
}
FALLBACK = "last_value"
QUANTILES = np.array([0.5, 0.9, 0.99])  # what a choice is judged on
MISSING_MOST = 0.25  # of the last day
REGIME = 3.0  # the chosen one's loss on the newest day, over its loss before, that counts as another world
ORIGINS = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """`reason`: why this one; `fell_back`: not by merit; `losses`: of every candidate that could be fitted."""

    name: str
    reason: str
    fell_back: bool = False
    losses: Mapping[str, float] = field(default_factory=dict)


def pinball(truth: FloatArray, told: FloatArray, quantiles: FloatArray) -> float:
    """Mean pinball loss of told (steps, q) against truth (steps,); Koenker & Bassett, Econometrica 1978."""
    over = truth[:, None] - told
    return float(np.maximum(quantiles * over, (quantiles - 1.0) * over).mean())


def choose(series: Series, steps: int, candidates: tuple[str, ...] = tuple(FORECASTERS)) -> Choice:
    """The candidate with the least loss over the last origins, `steps` ahead each; ties: the first one."""
    day = series.steps(DAY_S)
    if series.last(day).missing_fraction > MISSING_MOST:
        missing = series.last(day).missing_fraction
        return Choice(FALLBACK, f"{missing:.0%} of the last day is missing (limit {MISSING_MOST:.0%})", fell_back=True)
    if len(series.known) < day:
        return Choice(FALLBACK, f"{len(series.known)} values are known, a day has {day}", fell_back=True)
    losses = {name: loss for name in candidates if (loss := backtest(series, name, steps)) is not None}
    if not losses:
        return Choice(FALLBACK, "no candidate could be fitted", fell_back=True)
    best = min(losses, key=lambda name: losses[name])
    changed = _changed(series, best, steps)
    if changed > REGIME and best != FALLBACK:
        reason = f"the load has changed: {best} was {changed:.1f} times as wrong lately as before"
        return Choice(FALLBACK, reason, fell_back=True, losses=losses)
    return Choice(best, f"least pinball loss of {len(losses)} over {ORIGINS} origins", losses=losses)


def forecast(series: Series, name: str, steps: int, quantiles: FloatArray) -> tuple[FloatArray, Choice]:
    """(steps, q) by the forecaster `name` (or `auto`), and what was chosen. KeyError: no such name."""
    choice = choose(series, steps) if name == "auto" else Choice(name, "named by the policy")
    try:
        return FORECASTERS[choice.name]().fit(series).predict(steps, quantiles), choice
    except ValueError as error:
        told = LastValue().fit(series).predict(steps, quantiles)
        return told, Choice(FALLBACK, f"{choice.name} cannot be used: {error}", fell_back=True)


def backtest(series: Series, name: str, steps: int, origins: int = ORIGINS) -> float | None:
    """Mean pinball loss over the last `origins` origins, spread over two days; None where it could not be fitted at one."""
    spread = max(steps, 2 * series.steps(DAY_S) // origins)
    losses = []
    for number in range(origins, 0, -1):
        end = len(series.values) - steps - (number - 1) * spread
        loss = _loss_at(series, name, end, steps) if end > 0 else None
        if loss is None:
            return None
        losses.append(loss)
    return float(np.mean(losses))


def _loss_at(series: Series, name: str, end: int, steps: int) -> float | None:
    try:
        told = FORECASTERS[name]().fit(series.until(end)).predict(steps, QUANTILES)
    except ValueError:
        return None
    return pinball(series.known[end : end + steps], told, QUANTILES)


def _changed(series: Series, name: str, steps: int) -> float:
    """How many times as wrong the newest forecast was as the median of those before."""
    newest = _loss_at(series, name, len(series.values) - steps, steps)
    day = series.steps(DAY_S)
    before = [_loss_at(series, name, len(series.values) - steps - back * day // 2, steps) for back in range(1, 6)]
    known = [loss for loss in before if loss is not None]
    typical = float(np.median(known)) if known else 0.0
    return newest / typical if newest is not None and typical > 0 else 0.0
