"""Is a host overloaded? The four detectors of the PlanetLab experiment, over arrays, exact enough to retrace it.

Separate from the placement that asks them (pabfd) because an answer depends on past demand only. A *host* stands for a cloud
VM, a *column* for one host that takes part in a turn. Definitions: Beloglazov & Buyya, CCPE 24(13), 2012, as run by CloudSim
3.0.3. No choice of where anything goes may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray

DetectorName = Literal["thr", "iqr", "mad", "lr"]

WINDOW_SAMPLES = 30  # PowerVm.HISTORY_LENGTH
REGRESSION_SAMPLES = 10  # the newest ones, fitted by least squares
REGRESSION_AHEAD = 1  # samples ahead that are foretold: every migration takes less than one sampling interval
SPREAD_SAMPLES = 12  # fewer than these say nothing about a spread
FALLBACK_FRACTION = 0.7  # static threshold where a detector has too few samples


class Judge(Protocol):
    """Answers for one turn. `look` is told everything; then columns change as app VMs are added to them."""

    def look(self, demand: FloatArray, window: FloatArray) -> None:
        """demand: (apps,) now. window: (samples, apps) oldest first, at most WINDOW_SAMPLES, in the units of demand."""
        ...

    def sum_up(self, apps: IntArray, column: IntArray, capacity: FloatArray) -> BoolArray:
        """Begin with `apps[i]` in `column[i]`; which columns are overloaded."""
        ...

    def without(self, apps: Sequence[int], capacity: float) -> bool:
        """Whether a host with just these would be overloaded."""
        ...

    def refused(self, apps: IntArray) -> BoolArray | None:
        """(apps, columns) where adding the app would overload; None = ask `refuses` one by one, that is cheaper."""
        ...

    def refuses(self, app: int, column: int) -> bool: ...

    def add(self, app: int, column: int) -> None: ...

    def reset(self, column: int) -> None:
        """Forget what was added to this column."""
        ...


def forecast_weights(samples: int = REGRESSION_SAMPLES, ahead: int = REGRESSION_AHEAD) -> FloatArray:
    """(samples,) what least squares through (1..samples) weighs each value with to foretell the one at samples + ahead."""
    x = np.arange(1.0, samples + 1)
    centred = x - x.mean()
    return np.asarray(1 / samples + centred * (samples + ahead - x.mean()) / (centred**2).sum())


class ScoreJudge:
    """Overloaded where scores add up to more than `limit_fraction` of capacity: demand itself (thr), or its forecast (lr).

    Where no app VM on the host has REGRESSION_SAMPLES samples since it first wanted anything, demand decides instead.
    """

    def __init__(self, limit_fraction: float, *, forecast: bool) -> None:
        self._limit_fraction = limit_fraction
        self._weights = forecast_weights() if forecast else None

    def look(self, demand: FloatArray, window: FloatArray) -> None:
        self.demand, self.score = demand, demand
        self.known: BoolArray = np.full(len(demand), self._weights is None)
        if self._weights is not None and len(window) >= REGRESSION_SAMPLES:
            self.score = np.einsum("s,sa->a", self._weights, window[-REGRESSION_SAMPLES:])
            self.known = np.asarray(window[: len(window) - REGRESSION_SAMPLES + 1].any(axis=0), dtype=np.bool_)
        self._looked = False

    def sum_up(self, apps: IntArray, column: IntArray, capacity: FloatArray) -> BoolArray:
        known, left, spare = self.sums(apps, column, capacity)
        # Lists, because app VMs and columns are asked for one at a time: a list is several times quicker at that than an array.
        if not self._looked:
            self._scores: list[float] = self.score.tolist()
            self._demands: list[float] = self.demand.tolist()
            self._knowns: list[bool] = self.known.tolist()
            self._all_known, self._looked = bool(self.known.all()), True
        self._is_known: list[bool] = known.tolist()
        self._left: list[float] = left.tolist()
        self._spare: list[float] = spare.tolist()
        self._begun = (self._is_known[:], self._left[:], self._spare[:])
        return np.where(known, left < 0, spare < 0)

    def sums(self, apps: IntArray, column: IntArray, capacity: FloatArray) -> tuple[BoolArray, FloatArray, FloatArray]:
        """(columns,) whether scores are known there, and what is left until the limit, by score and by demand."""
        count = len(capacity)
        known = np.bincount(column, weights=self.known[apps], minlength=count) > 0
        left = self.limit(capacity) - np.bincount(column, weights=self.score[apps], minlength=count)
        spare = capacity * FALLBACK_FRACTION - np.bincount(column, weights=self.demand[apps], minlength=count)
        return known, np.asarray(left), np.asarray(spare)

    def limit(self, capacity: FloatArray) -> FloatArray:
        """What scores may add up to. A forecast of exactly the limit is too much, a demand of exactly the limit is not."""
        limit = capacity * self._limit_fraction
        return limit if self._weights is None else np.nextafter(limit, 0.0)

    def without(self, apps: Sequence[int], capacity: float) -> bool:
        if self._all_known or any(self._knowns[app] for app in apps):
            limit = capacity * self._limit_fraction
            score = sum([self._scores[app] for app in apps])
            return score > limit or (score == limit and self._weights is not None)
        return sum([self._demands[app] for app in apps]) > capacity * FALLBACK_FRACTION

    def refused(self, apps: IntArray) -> BoolArray | None:
        by_score = self.score[apps, None] > np.array(self._left)
        if self._all_known:
            return np.asarray(by_score, dtype=np.bool_)
        known = self.known[apps, None] | np.array(self._is_known, dtype=np.bool_)
        return np.where(known, by_score, self.demand[apps, None] > np.array(self._spare))

    def refuses(self, app: int, column: int) -> bool:
        if self._knowns[app] or self._is_known[column]:
            return self._scores[app] > self._left[column]
        return self._demands[app] > self._spare[column]

    def add(self, app: int, column: int) -> None:
        self._left[column] -= self._scores[app]
        self._spare[column] -= self._demands[app]
        self._is_known[column] |= self._knowns[app]

    def reset(self, column: int) -> None:
        known, left, spare = self._begun
        self._is_known[column], self._left[column], self._spare[column] = known[column], left[column], spare[column]


class SpreadJudge:
    """Overloaded above a threshold that sinks with the spread of the host's past: 1 - safety x spread (iqr, mad)."""

    def __init__(self, safety: float, spread: Callable[[FloatArray], float]) -> None:
        self._safety, self._spread = safety, spread

    def look(self, demand: FloatArray, window: FloatArray) -> None:
        self._demand, self._window = demand, window[-WINDOW_SAMPLES:]

    def sum_up(self, apps: IntArray, column: IntArray, capacity: FloatArray) -> BoolArray:
        self._capacity = capacity
        self._asked = np.bincount(column, weights=self._demand[apps], minlength=len(capacity))
        self._past = np.zeros((len(capacity), len(self._window)))
        np.add.at(self._past, column, self._window[:, apps].T)
        self._begun = (self._asked.copy(), self._past.copy())
        judged = zip(self._asked, self._past, capacity, strict=True)
        return np.array([self._overloaded(*host) for host in judged], dtype=np.bool_)

    def without(self, apps: Sequence[int], capacity: float) -> bool:
        rows = list(apps)
        return self._overloaded(float(self._demand[rows].sum()), self._window[:, rows].sum(axis=1), capacity)

    def refused(self, apps: IntArray) -> BoolArray | None:
        del apps
        return None

    def refuses(self, app: int, column: int) -> bool:
        asked = float(self._asked[column] + self._demand[app])
        return self._overloaded(asked, self._past[column] + self._window[:, app], float(self._capacity[column]))

    def add(self, app: int, column: int) -> None:
        self._asked[column] += self._demand[app]
        self._past[column] += self._window[:, app]

    def reset(self, column: int) -> None:
        asked, past = self._begun
        self._asked[column], self._past[column] = asked[column], past[column]

    def _overloaded(self, asked: float, past: FloatArray, capacity: float) -> bool:
        began = 0 if len(past) and past[0] else int((past != 0).argmax()) if past.any() else len(past)
        if len(past) - began < SPREAD_SAMPLES:
            return asked > capacity * FALLBACK_FRACTION
        return asked / capacity > 1 - self._safety * self._spread(past[began:] / capacity)


def interquartile_range(values: FloatArray) -> float:
    """Of (n,) values, n >= 3, by ranks round(n+1)/4 and round(3(n+1)/4), halves up."""
    ordered = np.sort(values)
    low, high = (int(np.floor(share * (len(ordered) + 1) + 0.5)) - 1 for share in (0.25, 0.75))
    return float(ordered[high] - ordered[low])


def median_absolute_deviation(values: FloatArray) -> float:
    """Of (n,) values: the median distance to their median."""
    return _median(np.abs(values - _median(values)))


def _median(values: FloatArray) -> float:
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def judge(detector: DetectorName, safety: float) -> Judge:
    """The detector of that name. `safety`: the threshold itself (thr), or the detector's safety parameter."""
    if detector == "thr":
        return ScoreJudge(safety, forecast=False)
    if detector == "lr":
        return ScoreJudge(1.0 / safety, forecast=True)
    return SpreadJudge(safety, interquartile_range if detector == "iqr" else median_absolute_deviation)
