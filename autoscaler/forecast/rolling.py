"""Forecasts as a controller makes them: learned once a day, asked every five minutes, judged by how the day since went.

Separate from `choice`, which says who there is. Nothing is kept here but what a pure
function gave before (`lru_cache`): the same past gets the same forecast, before and after a restart. Who is judged, and what
the forecast is used for, is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import floor
from zlib import crc32

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.forecast.choice import FORECASTERS, MISSING_MOST, REGIME, pinball
from autoscaler.forecast.series import DAY_S, Forecaster, Series

QUICK = ("last_value", "proportional", "seasonal_naive", "weekly_naive", "histogram", "holt_winters")
LEARNED_FROM_S = 14 * DAY_S
ORIGINS = 48  # of the newest day: one in half an hour; a few steps ahead each, so that hardly a peak falls between two
LEAST_LOSS = 0.005  # of the mean load: what is less wrong than this is not wrong
BAD = 0.9  # an hour as bad as one in ten
HOUR_S = 3600.0
REMEMBERED = 4096  # fitted forecasters; of 500 services eight each


@dataclass(frozen=True, eq=False)
class Told:
    """(steps, quantiles) `cores`, None where there is no forecast: `reason` says why, else by whom it is and why by him."""

    cores: FloatArray | None
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Pinball loss over a day's origins: the mean, and that of a bad hour."""

    mean: float
    bad: float


@dataclass(frozen=True)
class Known:
    """A series that equals another one with the same values at the same times."""

    digest: bytes
    series: Series = field(compare=False)

    @classmethod
    def of(cls, series: Series) -> Known:
        head = np.array([series.step_s, series.begins_at])
        return cls(blake2b(head.tobytes() + series.values.tobytes(), digest_size=16).digest(), series)


def tell(series: Series, names: Sequence[str], steps: int, quantiles: Sequence[float], who: str = "") -> Told:
    """What the best of `names` tells about the next `steps`. `who`: whose load it is; says when in the day it is learned anew,
    so that not everybody's is at once."""
    return _tell(Known.of(series), tuple(names), steps, tuple(quantiles), crc32(who.encode()) / 2**32)


@lru_cache(maxsize=REMEMBERED)
def _tell(known: Known, names: tuple[str, ...], steps: int, quantiles: tuple[float, ...], phase: float) -> Told:
    series = known.series
    if (missing := _unusable(series)) is not None:
        return Told(None, missing)
    learned = _learned_until(series, phase)
    newest = Known.of(_window(series, learned))
    losses = _judged(newest, names, steps, quantiles)
    if not losses:
        return Told(None, f"{' and '.join(names)} cannot be fitted to {learned} values")
    best = min(losses, key=lambda name: losses[name].mean)
    window = _window(series, learned, len(series.values))
    wrong = _lately(best, newest, window, steps, quantiles)
    usual = max(losses[best].bad, LEAST_LOSS * float(series.known.mean()))
    if wrong > REGIME * usual:
        times = wrong / usual if usual > 0 else np.inf
        return Told(
            None, f"the load has changed: {best} was {times:.1f} times as wrong in the last hour as in a bad one before"
        )
    fitted = _fitted(best, newest)
    assert fitted is not None, "it was judged"
    told = fitted.resume(window).predict(steps, np.array(quantiles))
    why = "named by the policy" if len(names) == 1 else f"least pinball loss of {len(losses)} over the day before"
    return Told(told, f"{best}: {why}")


def _unusable(series: Series) -> str | None:
    """Why nothing can be told from it: too short, or too much of the last day is missing."""
    day, came = series.steps(DAY_S), np.flatnonzero(~np.isnan(series.values))
    length = len(series.values) - int(came[0]) if len(came) else 0
    if length < 2 * day:
        return f"{length} values are known, two days have {2 * day}"
    missing = series.last(day).missing_fraction
    return f"{missing:.0%} of the last day is missing (limit {MISSING_MOST:.0%})" if missing > MISSING_MOST else None


def _learned_until(series: Series, phase: float) -> int:
    """How many values were known at the newest hour of learning, which comes once a day."""
    day, first = series.steps(DAY_S), round(series.begins_at / series.step_s)
    offset, end = floor(phase * day), first + len(series.values)
    return max(0, (end - offset) // day * day + offset - first)


def _window(series: Series, learned: int, until: int | None = None) -> Series:
    """What is learned from at `learned`, going on to `until`: the same whatever older values are still remembered."""
    first = max(0, learned - series.steps(LEARNED_FROM_S))
    return series.until(learned if until is None else until).last((learned if until is None else until) - first)


@lru_cache(maxsize=REMEMBERED)
def _fitted(name: str, known: Known) -> Forecaster | None:
    """None: it cannot be fitted to so little."""
    try:
        fitted = FORECASTERS[name]().fit(known.series)
        fitted.predict(1, np.array([0.5]))
    except ValueError:
        return None
    return fitted


def _day_before(known: Known) -> Known | None:
    length = len(known.series.values) - known.series.steps(DAY_S)
    return Known.of(_window(known.series, length)) if length > 0 else None


@lru_cache(maxsize=REMEMBERED)
def _judged(known: Known, names: tuple[str, ...], steps: int, quantiles: tuple[float, ...]) -> Mapping[str, Loss]:
    """How wrong each would have been over the newest day, fitted to the days before that; where nobody could be fitted to
    those, all that can be fitted now count as alike."""
    series, before = known.series, _day_before(known)
    usable = [name for name in names if _fitted(name, known) is not None]
    losses: dict[str, Loss] = {}
    origins: list[Series] = []
    if before is not None:
        first, last = len(before.series.values), len(series.values) - steps
        origins = [series.until(int(end)) for end in np.unique(np.linspace(first, last, ORIGINS).astype(np.int64))]
    for name in usable:
        fitted = None if before is None else _fitted(name, before)
        if fitted is not None:
            found = _losses(fitted, series, origins, steps, quantiles)
            losses[name] = Loss(float(np.mean(found)), float(np.quantile(found, BAD)))
    return losses or dict.fromkeys(usable, Loss(0.0, np.inf))


def _losses(
    fitted: Forecaster, series: Series, origins: Sequence[Series], steps: int, quantiles: tuple[float, ...]
) -> list[float]:
    """Of what it tells about `series` at each of the `origins`, which grow."""
    wanted, found = np.array(quantiles), list[float]()
    for origin in origins:
        fitted, end = fitted.resume(origin), len(origin.values)
        found.append(pinball(series.known[end : end + steps], fitted.predict(steps, wanted), wanted))
    return found


def _lately(name: str, known: Known, series: Series, steps: int, quantiles: tuple[float, ...]) -> float:
    """The mean loss over the last hour of `name` as fitted a day before `known`, so that it has not seen that hour."""
    before = _day_before(known)
    fitted = None if before is None else _fitted(name, before)
    if fitted is None:
        return 0.0
    hour, last = series.steps(HOUR_S), len(series.values) - steps
    origins = [series.until(end) for end in range(last - hour + 1, last + 1, max(1, hour // 4))]
    return float(np.mean(_losses(fitted, series, origins, steps, quantiles)))
