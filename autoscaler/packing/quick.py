"""A turn of the PlanetLab experiment as machine code (numba), where demand or its forecast says what overload is.

Separate from pabfd because it is the same algorithm once more, for speed alone: pabfd is the definition and is used wherever
numba is not installed (`pip install flexcapsule[quick]`); a test holds both to the same moves, digit by digit. Compiled at the
first use of an installation, kept beside this file. Numbers and arrays only; no object of ours may be here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray

F = TypeVar("F", bound=Callable[..., Any])

try:
    import numba

    HERE = True
except ImportError:  # the plain implementation does it, in about twice the time
    HERE = False


def compiled(function: F) -> F:
    """`function` as machine code, where there is a compiler."""
    if not HERE:
        return function
    try:
        return cast("F", numba.njit(cache=True)(function))
    except RuntimeError:  # neither beside this file nor in the user's cache may anything be written
        return cast("F", numba.njit(function))


# Rows of `columns`, one column per host that takes part: what `put` changes.
ALLOCATED, ROOM, LEFT, SPARE, KNOWN, CAPACITY, PROCESSOR, REFERENCE_W, LOAD = range(9)
NOBODY = -1.0  # pabfd.NOBODY


@compiled
def _watts(at: FloatArray, rise: FloatArray, first: int, load: float) -> float:
    tenth = int(load * 10)
    return at[first + tenth] + rise[first + tenth] * (load - tenth / 10) * 100  # type: ignore[no-any-return]


@compiled
def _best(app: int, columns: FloatArray, first: IntArray, apps: FloatArray, at: FloatArray, rise: FloatArray) -> int:
    """The column where power rises least; the first of equals; -1 where it fits nowhere. apps: (3, apps) demand, score, known."""
    demand, score, known = apps[0, app], apps[1, app], apps[2, app] > 0
    best, best_w = -1, np.inf
    for column in range(columns.shape[1]):
        if demand > columns[ROOM, column]:
            continue
        if columns[ALLOCATED, column] != 0:
            if known or columns[KNOWN, column] > 0:
                if score > columns[LEFT, column]:
                    continue
            elif demand > columns[SPARE, column]:
                continue
        load = min((columns[ALLOCATED, column] + demand) / columns[CAPACITY, column], 1.0)
        rise_w = _watts(at, rise, first[column], load) - columns[REFERENCE_W, column]
        if rise_w < best_w:
            best, best_w = column, rise_w
    return best


@compiled
def _put(app: int, column: int, columns: FloatArray, apps: FloatArray) -> None:
    columns[ALLOCATED, column] += apps[0, app]
    columns[ROOM, column] = min(columns[CAPACITY, column] - columns[ALLOCATED, column], columns[PROCESSOR, column])
    columns[LEFT, column] -= apps[1, app]
    columns[SPARE, column] -= apps[0, app]
    columns[KNOWN, column] = max(columns[KNOWN, column], apps[2, app])


@compiled
def _decreasing(found: IntArray, demand: FloatArray) -> None:
    """Sort in place, the biggest first; equals stay in order."""
    for last in range(1, len(found)):
        app, position = found[last], last
        while position > 0 and demand[found[position - 1]] < demand[app]:
            found[position] = found[position - 1]
            position -= 1
        found[position] = app


@compiled
def _tenants(
    column: int, residents: IntArray, starts: IntArray, guests: IntArray, where: IntArray, count: int
) -> IntArray:
    """App VMs of a column: residents, then guests, in order of arrival."""
    own = starts[column + 1] - starts[column]
    coming = 0
    for number in range(count):
        coming += where[number] == column
    found = np.empty(own + coming, dtype=np.int64)
    found[:own] = residents[starts[column] : starts[column + 1]]
    position = own
    for number in range(count):
        if where[number] == column:
            found[position] = guests[number]
            position += 1
    return found


@compiled
def turn(
    columns: FloatArray,
    first: IntArray,
    apps: FloatArray,
    at: FloatArray,
    rise: FloatArray,
    leaving: IntArray,
    residents: IntArray,
    starts: IntArray,
    order: IntArray,
    active: BoolArray,
) -> tuple[int, int, IntArray, IntArray]:
    """Relieve (`leaving`, the biggest first), then empty (columns by `order`).

    first: (columns,) where each one's power curve begins. residents: those of column c are at starts[c] to starts[c + 1].
    active: (columns,) hosts that had app VMs. Returns how many moves relieve, how many there are, app VMs, columns.
    """
    most = len(leaving) + len(residents) + len(leaving) + 1
    guests, where = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    count = 0
    for app in leaving:
        column = _best(app, columns, first, apps, at, rise)
        if column >= 0:
            _put(app, column, columns, apps)
            guests[count], where[count] = app, column
            count += 1
    relief = count
    columns[ROOM][~active] = NOBODY
    chosen = np.zeros(columns.shape[1], dtype=np.bool_)
    saved = np.empty((most, columns.shape[0]))  # what each put of one emptying changed, to take it back
    for column in order:
        if columns[ROOM, column] == NOBODY or chosen[column]:
            continue
        columns[ROOM, column] = NOBODY
        began = count
        found = _tenants(column, residents, starts, guests, where, count)
        _decreasing(found, apps[0])
        for app in found:
            target = _best(app, columns, first, apps, at, rise)
            if target < 0:
                for number in range(count - 1, began - 1, -1):
                    columns[:, where[number]] = saved[number - began]
                count = began
                break
            saved[count - began] = columns[:, target]
            _put(app, target, columns, apps)
            guests[count], where[count] = app, target
            count += 1
        chosen[where[began:count]] = True
    return relief, count, guests, where


def warm() -> None:
    """Compile, or load what was compiled before, now and not in the middle of a turn."""
    whole, none = np.zeros((9, 1)), np.zeros(0, dtype=np.int64)
    curve = np.zeros(12)
    turn(
        whole,
        np.zeros(1, dtype=np.int64),
        np.zeros((3, 1)),
        curve,
        curve,
        none,
        none,
        np.zeros(2, dtype=np.int64),
        none,
        np.ones(1, dtype=np.bool_),
    )
