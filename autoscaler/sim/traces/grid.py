"""From samples as they came to a regular grid: sorted, without doubles, one value per step, gaps held. Every change is counted.

Separate because all layouts share it: the rules are stated once (see trace.Repairs). Arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.errors import UsageError
from autoscaler.sim.traces.trace import Repairs

MOST_CELLS = 200_000_000  # steps x subjects; 1.6 GB per metric, more than any machine this runs on should be asked for


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """metrics: name -> (steps, subjects), NaN outside a subject's life."""

    start_at: float
    step_s: float
    metrics: Mapping[str, FloatArray]


def lay_out(
    subject: IntArray, at: FloatArray, metrics: Mapping[str, FloatArray], repairs: Repairs, step_s: float | None = None
) -> Grid:
    """subject: (samples,) row of each; at: (samples,) seconds. `step_s` None: the usual distance between samples."""
    subject, at, metrics = _clean(subject, at, metrics, repairs)
    if not len(at):
        raise UsageError("there is not one sample with a number in it")
    subject, at, metrics = _in_order(subject, at, metrics, repairs)
    subject, at, metrics = _without_doubles(subject, at, metrics, repairs)
    step_s = step_s or usual_step(subject, at)
    start_at = float(np.floor(at.min() / step_s) * step_s)
    slot = ((at - start_at) // step_s).astype(np.int64)
    steps, subjects = int(slot.max()) + 1, int(subject.max()) + 1
    if steps * subjects > MOST_CELLS:
        raise UsageError(
            f"{steps} steps of {step_s:g} s for {subjects} subjects are too many; cut the trace, or resample"
        )
    cell = slot * subjects + subject
    came = np.bincount(cell, minlength=steps * subjects)
    repairs.same_step += int(np.maximum(came - 1, 0).sum())
    hold = _hold(came.reshape(steps, subjects) > 0, repairs)
    filled = {}
    for name, values in metrics.items():
        sums = np.bincount(cell, weights=values, minlength=steps * subjects)
        means = np.divide(sums, came, out=np.full(steps * subjects, np.nan), where=came > 0).reshape(steps, subjects)
        filled[name] = _held(means, hold)
    return Grid(start_at, step_s, filled)


def usual_step(subject: IntArray, at: FloatArray) -> float:
    """The median distance between two samples of one subject, in whole seconds; sorted by subject and time."""
    distance = np.diff(at)[np.diff(subject) == 0]
    if not len(distance):
        raise UsageError("no subject has two samples; a trace needs at least two")
    return max(1.0, float(np.round(np.median(distance))))


def _clean(
    subject: IntArray, at: FloatArray, metrics: Mapping[str, FloatArray], repairs: Repairs
) -> tuple[IntArray, FloatArray, Mapping[str, FloatArray]]:
    good = np.isfinite(at)
    for values in metrics.values():
        good &= np.isfinite(values)
    repairs.not_a_number += int(len(good) - good.sum())
    negative = np.zeros(len(good), dtype=np.bool_)
    for values in metrics.values():
        negative |= good & (values < 0)
    repairs.negative += int(negative.sum())
    return _choose(subject, at, metrics, good & ~negative)


def _in_order(
    subject: IntArray, at: FloatArray, metrics: Mapping[str, FloatArray], repairs: Repairs
) -> tuple[IntArray, FloatArray, Mapping[str, FloatArray]]:
    """By subject, then time; samples of one time stay in the order in which they came."""
    grouped = np.argsort(subject, kind="stable") if (np.diff(subject) < 0).any() else None
    if grouped is not None:
        subject, at, metrics = _choose(subject, at, metrics, grouped)
    back = (np.diff(subject) == 0) & (np.diff(at) < 0)
    repairs.out_of_order += int(back.sum())
    return _choose(subject, at, metrics, np.lexsort((at, subject))) if back.any() else (subject, at, metrics)


def _without_doubles(
    subject: IntArray, at: FloatArray, metrics: Mapping[str, FloatArray], repairs: Repairs
) -> tuple[IntArray, FloatArray, Mapping[str, FloatArray]]:
    last = np.append((np.diff(subject) != 0) | (np.diff(at) != 0), True)
    repairs.duplicate += int(len(last) - last.sum())
    return (subject, at, metrics) if last.all() else _choose(subject, at, metrics, last)


def _choose(
    subject: IntArray, at: FloatArray, metrics: Mapping[str, FloatArray], chosen: BoolArray | IntArray
) -> tuple[IntArray, FloatArray, Mapping[str, FloatArray]]:
    if chosen.dtype == np.bool_ and chosen.all():
        return subject, at, metrics
    return subject[chosen], at[chosen], {name: values[chosen] for name, values in metrics.items()}


def _hold(came: BoolArray, repairs: Repairs) -> IntArray:
    """(steps, subjects) from which step each value is taken, -1 outside a subject's life."""
    steps = np.arange(len(came))[:, None]
    newest = np.maximum.accumulate(np.where(came, steps, -1), axis=0)
    last = len(came) - 1 - came[::-1].argmax(axis=0)
    hold = np.where(steps <= last, newest, -1)
    repairs.gap += int(((hold >= 0) & ~came).sum())
    return hold


def _held(values: FloatArray, hold: IntArray) -> FloatArray:
    return np.where(hold >= 0, np.take_along_axis(values, np.maximum(hold, 0), axis=0), np.nan)
