"""Windows of the week in a named time zone: is one open, and when does one open next. Arithmetic on given times only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from autoscaler.core.policy import Window

LOOKAHEAD_DAYS = 16  # a weekly window that the clock jumps over once opens within two weeks
CHANGE_STEP_H = 6  # no zone has changed its clock twice within six hours


def local(at: float, time_zone: str) -> datetime:
    """`at` (seconds since the epoch) on the wall clock of `time_zone`."""
    return datetime.fromtimestamp(at, ZoneInfo(time_zone))


def is_open(window: Window, at: float) -> bool:
    """Whether `at` falls into the window; one that ends before it starts runs past midnight."""
    here = local(at, window.time_zone)
    minute = here.hour * 60 + here.minute
    today, yesterday = here.weekday(), (here.weekday() - 1) % 7
    if window.from_minute < window.to_minute:
        return today in window.days and window.from_minute <= minute < window.to_minute
    return (today in window.days and minute >= window.from_minute) or (
        yesterday in window.days and minute < window.to_minute
    )


def any_open(windows: Iterable[Window], at: float) -> bool:
    return any(is_open(window, at) for window in windows)


def opens_at(windows: Iterable[Window], at: float) -> float | None:
    """The first instant after `at` at which one of `windows` is open; None where none of them has a day."""
    return min((t for window in windows if window.days for t in _opens(window, at)), default=None)


def _opens(window: Window, at: float) -> Iterator[float]:
    """A window opens when the wall clock comes to its start, twice where that hour is repeated, and where the clock is put
    forward into it or back into it; not at all on a day on which the clock jumps over all of it."""
    zone = ZoneInfo(window.time_zone)
    midnight = local(at, window.time_zone).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = (midnight + timedelta(days=day, minutes=window.from_minute) for day in range(LOOKAHEAD_DAYS))
    times = [start.replace(fold=fold).timestamp() for start in starts for fold in (0, 1)]
    for time in sorted((*times, *_clock_changes(at, zone))):
        if time > at and is_open(window, time):
            yield time
            return


def _clock_changes(at: float, zone: ZoneInfo) -> Iterator[float]:
    """When the wall clock is put forward or back in the days to come, to the second."""
    steps = LOOKAHEAD_DAYS * 24 // CHANGE_STEP_H
    edges = [at + step * CHANGE_STEP_H * 3600.0 for step in range(steps + 1)]
    for before, after in pairwise(edges):
        low, high = int(before), int(after) + 1
        if _offset(low, zone) == _offset(high, zone):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
        yield float(high)


def _offset(at: float, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()
