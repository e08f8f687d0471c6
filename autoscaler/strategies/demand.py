"""What will be asked for soon, as a distribution: mean and spread of CPU demand, per service and per app VM.

Separate because the expected cost of unserved demand needs more than a mean, and every question of `optimal` starts from the
same one. Normal, from the window: level, trend over the lead, spread of what the trend leaves. No price may be here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np

from autoscaler.core.snapshot import CPU, NOWHERE, FloatArray, IntArray, Snapshot

LEAST_SPREAD = 0.05  # of the mean: a flat window is no promise
FULL = 0.9  # of the allocation in use: demand above it could not be seen
HIDDEN = 0.5  # of what was seen, added where it could not be seen


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """`now`: what is to be served soon, never below what is served; `high`: the most of the window and of `now`, which alone may
    lead to fewer replicas; `spread`: the standard deviation of either. `seen`: what is asked for at this moment; `most`: in the
    window. In cores, one per subject."""

    now: FloatArray
    high: FloatArray
    spread: FloatArray
    seen: FloatArray
    most: FloatArray

    def quantile(self, deviations: float) -> FloatArray:
        """What suffices with the odds that go with so many standard deviations."""
        return np.asarray(np.maximum(self.now, self.now + deviations * self.spread))


def of_app_vms(snapshot: Snapshot, samples: int, lead: float) -> Demand:
    """(app VMs,) each by itself; where nothing was measured the allocation."""
    window = snapshot.usage[CPU][:, -samples:]
    return _demand(window, snapshot.inventory.app_cores, snapshot.cpu_in_use_cores, lead)


def of_services(snapshot: Snapshot, samples: int, lead: float, full: float = FULL, hidden: float = HIDDEN) -> Demand:
    """(services,) of all running replicas together; a sample that is missing counts as the mean of those that came. `full`:
    share of their allocation above which demand could not be seen; `hidden`: of what was seen, added there."""
    service = np.where(snapshot.placement != NOWHERE, snapshot.inventory.app_service, NOWHERE)
    rows = np.flatnonzero(service != NOWHERE)
    sums = np.array([_totals(snapshot, rows, service[rows], column) for column in range(-samples, 0)]).T
    counts = np.bincount(service[rows], minlength=len(snapshot.services))
    allocated, known = (
        np.asarray(np.bincount(service[rows], cores[rows], minlength=len(counts)), dtype=np.float64)
        for cores in (snapshot.inventory.app_cores, snapshot.cpu_in_use_cores)
    )
    return _demand(sums.reshape(len(counts), samples), allocated, known, lead, full, hidden)


def _totals(snapshot: Snapshot, rows: IntArray, service: IntArray, column: int) -> FloatArray:
    """(services,) demand at one moment; NaN where no replica was seen."""
    window = snapshot.usage[CPU]
    kinds = len(snapshot.services)
    if -column > window.shape[1]:
        return np.full(kinds, np.nan)
    seen = ~np.isnan(window[rows, column])
    total = np.bincount(service[seen], window[rows[seen], column], minlength=kinds)
    came, all_ = np.bincount(service[seen], minlength=kinds), np.bincount(service, minlength=kinds)
    # one newcomer without a past must not halve the past of the others, so missing ones are not made up for beyond now
    share = np.where(came > 0, all_ / np.maximum(came, 1), np.nan) if column == -1 else np.where(came > 0, 1.0, np.nan)
    return np.asarray(total * share)


def _demand(
    window: FloatArray,
    allocated: FloatArray,
    known: FloatArray,
    lead: float,
    full: float = FULL,
    hidden_share: float = HIDDEN,
) -> Demand:
    filled = np.where(np.isnan(window), known[:, None], window)
    ages = np.arange(window.shape[1]) - (window.shape[1] - 1.0)
    centred = ages - ages.mean() if len(ages) else ages
    mean = filled.mean(axis=1)
    slope = filled @ centred / max(float(centred @ centred), 1.0)
    rest = filled - mean[:, None] - slope[:, None] * centred[None, :]
    spread = np.sqrt((rest**2).sum(axis=1) / max(window.shape[1] - 2, 1))
    latest = np.maximum(filled[:, -1], mean + slope * centred[-1] if len(ages) else mean)
    hidden = np.where(filled[:, -1] >= full * allocated, hidden_share * filled[:, -1], 0.0)
    now = latest + np.maximum(slope, 0.0) * lead + hidden
    most, seen = filled.max(axis=1), filled[:, -1] + hidden
    return Demand(now, np.maximum(most, now), np.maximum(spread, LEAST_SPREAD * now), seen, most)


def expected_shortfall(mean: float, spread: float, capacity: float) -> float:
    """The mean of what a normal demand is above `capacity` (the newsvendor's loss function)."""
    if spread <= 0:
        return max(0.0, mean - capacity)
    distance = (capacity - mean) / spread
    above = 0.5 * (1.0 - erf(distance / sqrt(2.0)))
    return spread * max(0.0, exp(-0.5 * distance * distance) / sqrt(2.0 * pi) - distance * above)
