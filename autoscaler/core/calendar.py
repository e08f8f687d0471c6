"""Windows of the week in a named time zone: is one open, and when does one open next. Arithmetic on given times only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from autoscaler.core.policy import Window

MINUTES_PER_DAY = 24 * 60


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
    """When the first of `windows` opens after `at`; None where there are none."""
    return min((_opens(window, at) for window in windows if window.days), default=None)


def _opens(window: Window, at: float) -> float:
    midnight = local(at, window.time_zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(9):
        start = midnight + timedelta(days=day, minutes=window.from_minute)
        if start.weekday() in window.days and start.timestamp() > at:
            return start.timestamp()
    raise AssertionError("a window with a day opens within nine days")
