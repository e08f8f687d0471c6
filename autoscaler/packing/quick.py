"""A turn of the PlanetLab experiment as machine code (numba), where demand or its forecast says what overload is.

Separate from pabfd because it is the same algorithm once more, for speed alone: pabfd is the definition and is used wherever
numba is not installed (`pip install flexcapsule[quick]`); a test holds both to the same moves, digit by digit. Compiled at the
first use of an installation, kept beside this file; plain loops only, because each array function of numba's costs a second
and megabytes to compile. Numbers and arrays only; no object of ours may be here.
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
except (ImportError, OSError):  # none, or no memory may be executable: plain code does it, in three times the time
    HERE = False


def compiled(function: F) -> F:
    """`function` as machine code, where there is a compiler."""
    if not HERE:
        return function
    try:
        return cast("F", numba.njit(cache=True)(function))
    except RuntimeError:  # neither beside this file nor in the user's cache may anything be written
        return cast("F", numba.njit(function))


# Rows of `columns`, one column per host that takes part: what `put` changes first.
ALLOCATED, ROOM, LEFT, SPARE, KNOWN, CAPACITY, PROCESSOR, REFERENCE_W = range(8)
CHANGING = 5
DEMAND, SCORE, IS_KNOWN, KEY = range(4)  # columns of `apps`, one row each; who has the least key leaves first
NOBODY = -1.0  # room of a host that takes nobody: pabfd.NOBODY


@compiled
def _watts(curves: FloatArray, first: int, load: float) -> float:
    """curves: (2, points) watts, and their rise from there on; `first`: where the host's curve begins."""
    tenth = int(load * 10)
    return curves[0, first + tenth] + curves[1, first + tenth] * (load - tenth / 10) * 100  # type: ignore[no-any-return]


@compiled
def _best(
    app: int, open_: IntArray, count: int, columns: FloatArray, first: IntArray, apps: FloatArray, curves: FloatArray
) -> int:
    """Of the first `count` columns in `open_` that where power rises least; the first of equals; -1 where it fits nowhere."""
    demand, score, known = apps[app, DEMAND], apps[app, SCORE], apps[app, IS_KNOWN] > 0
    best, best_w = -1, np.inf
    for position in range(count):
        column = open_[position]
        if demand > columns[ROOM, column]:
            continue
        if columns[ALLOCATED, column] != 0:
            if known or columns[KNOWN, column] > 0:
                if score > columns[LEFT, column]:
                    continue
            elif demand > columns[SPARE, column]:
                continue
        load = min((columns[ALLOCATED, column] + demand) / columns[CAPACITY, column], 1.0)
        rise_w = _watts(curves, first[column], load) - columns[REFERENCE_W, column]
        if rise_w < best_w:
            best, best_w = column, rise_w
    return best


@compiled
def _put(app: int, column: int, columns: FloatArray, apps: FloatArray) -> None:
    columns[ALLOCATED, column] += apps[app, DEMAND]
    columns[ROOM, column] = min(columns[CAPACITY, column] - columns[ALLOCATED, column], columns[PROCESSOR, column])
    columns[LEFT, column] -= apps[app, SCORE]
    columns[SPARE, column] -= apps[app, DEMAND]
    columns[KNOWN, column] = max(columns[KNOWN, column], apps[app, IS_KNOWN])


@compiled
def _open(column: int, open_: IntArray, count: int) -> int:
    """Add it to the first `count`, which ascend; how many there are then."""
    position = count
    while position > 0 and open_[position - 1] > column:
        open_[position] = open_[position - 1]
        position -= 1
    open_[position] = column
    return count + 1


@compiled
def _close(column: int, columns: FloatArray, open_: IntArray, count: int) -> int:
    """Take it out of the first `count`; how many there are then."""
    columns[ROOM, column] = NOBODY
    kept = 0
    for position in range(count):
        if open_[position] != column:
            open_[kept] = open_[position]
            kept += 1
    return kept


@compiled
def _insert(app: int, count: int, found: IntArray, apps: FloatArray) -> int:
    """Into the first `count`, the greatest demand first; equals stay in order. How many there are then."""
    position = count
    while position > 0 and apps[found[position - 1], DEMAND] < apps[app, DEMAND]:
        found[position] = found[position - 1]
        position -= 1
    found[position] = app
    return count + 1


@compiled
def leaving(over: IntArray, residents: IntArray, starts: IntArray, apps: FloatArray, limits: FloatArray) -> IntArray:
    """Who has to go until no column of `over` is overloaded any more, one after the other. limits: (over, 2) of scores, of
    demand."""
    left, gone, count = np.empty(len(residents), dtype=np.int64), np.empty(len(residents), dtype=np.int64), 0
    for number in range(len(over)):
        there = 0
        for position in range(starts[over[number]], starts[over[number] + 1]):
            left[there] = residents[position]
            there += 1
        while there > 0:
            first = 0
            for row in range(1, there):
                if apps[left[row], KEY] < apps[left[first], KEY]:
                    first = row
            gone[count] = left[first]
            count += 1
            there -= 1
            known = score = demand = 0.0
            for row in range(there):
                if row >= first:
                    left[row] = left[row + 1]
                known += apps[left[row], IS_KNOWN]
                score += apps[left[row], SCORE]
                demand += apps[left[row], DEMAND]
            if (score <= limits[number, 0]) if known > 0 else (demand <= limits[number, 1]):
                break
    return gone[:count]


@compiled
def _relieve(
    columns: FloatArray,
    first: IntArray,
    apps: FloatArray,
    curves: FloatArray,
    relieving: IntArray,
    active: BoolArray,
    open_: IntArray,
    moves: IntArray,
) -> int:
    """Place `relieving` in order, on an empty host if need be; who fits nowhere stays. How many moves that makes.

    Of empty hosts of a kind only the first one is open: the others are just as good, and it is the first of equals.
    """
    count = done = 0
    following, newest = np.full(len(active), -1), np.full(curves.shape[1], -1)  # the next empty one of the same kind
    for column in range(len(active)):
        before = -1 if active[column] else newest[first[column]]
        if not active[column]:
            newest[first[column]] = column
        if before >= 0:
            following[before] = column
        elif columns[ROOM, column] != NOBODY:
            count = _open(column, open_, count)
    for app in relieving:
        column = _best(app, open_, count, columns, first, apps, curves)
        if column >= 0:
            _put(app, column, columns, apps)
            moves[done, 0], moves[done, 1] = app, column
            done += 1
            if following[column] >= 0:
                count = _open(following[column], open_, count)
                following[column] = -1
    return done


@compiled
def _by_column(moves: IntArray, done: int, count: int) -> tuple[IntArray, IntArray]:
    """App VMs of the first `done` moves by column, in order: those of column c are at starts[c] to starts[c + 1]."""
    starts, apps = np.zeros(count + 1, dtype=np.int64), np.empty(done, dtype=np.int64)
    for number in range(done):
        starts[moves[number, 1] + 1] += 1
    for column in range(count):
        starts[column + 1] += starts[column]
    following = starts.copy()
    for number in range(done):
        column = moves[number, 1]
        apps[following[column]] = moves[number, 0]
        following[column] += 1
    return apps, starts


@compiled
def _move_all(
    found: IntArray,
    there: int,
    columns: FloatArray,
    first: IntArray,
    apps: FloatArray,
    curves: FloatArray,
    open_: IntArray,
    count: int,
    moves: IntArray,
    done: int,
    saved: FloatArray,
) -> int:
    """Place the first `there` of `found`, all or none. saved: scratch, what each put changes. How many moves there are then."""
    for position in range(there):
        target = _best(found[position], open_, count, columns, first, apps, curves)
        if target < 0:
            for number in range(position - 1, -1, -1):
                for row in range(CHANGING):
                    columns[row, moves[done + number, 1]] = saved[number, row]
            return done
        for row in range(CHANGING):
            saved[position, row] = columns[row, target]
        _put(found[position], target, columns, apps)
        moves[done + position, 0], moves[done + position, 1] = found[position], target
    return done + there


@compiled
def _open_only(columns: FloatArray, active: BoolArray, open_: IntArray) -> int:
    """Close what is not active. How many are open then."""
    count = 0
    for column in range(len(active)):
        if not active[column]:
            columns[ROOM, column] = NOBODY
        elif columns[ROOM, column] != NOBODY:
            count = _open(column, open_, count)
    return count


@compiled
def turn(
    columns: FloatArray,
    first: IntArray,
    apps: FloatArray,
    curves: FloatArray,
    relieving: IntArray,
    residents: IntArray,
    starts: IntArray,
    order: IntArray,
    active: BoolArray,
) -> tuple[int, int, IntArray]:
    """Relieve (`relieving`, the biggest first), then empty (columns by `order`).

    first: (columns,) where each one's power curve begins; hosts with the same curve are alike. residents: those of column c
    are at starts[c] to starts[c + 1]. active: (columns,) hosts that had app VMs. Returns how many moves relieve, how many
    there are, and (moves, 2) app VMs and columns.
    """
    moves = np.empty((2 * len(relieving) + len(residents), 2), dtype=np.int64)
    open_ = np.empty(len(active), dtype=np.int64)
    relief = done = _relieve(columns, first, apps, curves, relieving, active, open_, moves)
    guests, guest_starts = _by_column(moves, relief, len(active))
    count = _open_only(columns, active, open_)
    chosen = np.zeros(len(active), dtype=np.bool_)
    saved = np.empty((len(moves), CHANGING))
    found = np.empty(len(moves), dtype=np.int64)
    for column in order:
        if columns[ROOM, column] == NOBODY or chosen[column]:
            continue
        count = _close(column, columns, open_, count)
        there, began = 0, done
        for position in range(starts[column], starts[column + 1]):
            there = _insert(residents[position], there, found, apps)
        for position in range(guest_starts[column], guest_starts[column + 1]):
            there = _insert(guests[position], there, found, apps)
        done = _move_all(found, there, columns, first, apps, curves, open_, count, moves, done, saved)
        for number in range(began, done):
            chosen[moves[number, 1]] = True
    return relief, done, moves


def warm() -> None:
    """Compile, or load what was compiled before, now and not in the middle of a turn."""
    none, one, starts = (np.zeros(count, dtype=np.int64) for count in range(3))
    apps, curves = np.zeros((1, 4)), np.zeros((2, 12))
    leaving(none, none, starts, apps, np.zeros((0, 2)))
    turn(np.zeros((8, 1)), one, apps, curves, none, none, starts, none, np.ones(1, dtype=np.bool_))
