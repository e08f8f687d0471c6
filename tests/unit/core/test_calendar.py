"""Windows of the week on a wall clock that is put forward and back: Zurich 2026, 29 March 02:00 -> 03:00, 25 October 03:00 -> 02:00."""

from datetime import UTC, datetime

import pytest

from autoscaler.core.calendar import any_open, is_open, local, opens_at
from autoscaler.core.policy import Window

ZURICH = "Europe/Zurich"
DAILY = tuple(range(7))


def utc(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC).timestamp()


def window(text, days=DAILY, zone=ZURICH):
    """`text`: "22:00-06:00"."""
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return Window(days, begin, end, zone)


@pytest.mark.parametrize(
    ("text", "days", "at", "expected"),
    [
        ("09:00-17:00", (0, 1, 2, 3, 4), "11-24 08:00", True),  # a Tuesday, 09:00 in Zurich: the start belongs to it
        ("09:00-17:00", (0, 1, 2, 3, 4), "11-24 07:59", False),
        ("09:00-17:00", (0, 1, 2, 3, 4), "11-24 15:59", True),
        ("09:00-17:00", (0, 1, 2, 3, 4), "11-24 16:00", False),  # the end does not
        ("09:00-17:00", (5, 6), "11-24 08:00", False),
        ("22:00-06:00", (1,), "11-24 21:00", True),  # Tuesday 22:00
        ("22:00-06:00", (1,), "11-25 04:59", True),  # Wednesday morning belongs to Tuesday's
        ("22:00-06:00", (1,), "11-25 05:00", False),
        ("22:00-06:00", (1,), "11-24 04:00", False),  # Tuesday morning belongs to Monday's
        ("09:00-17:00", DAILY, "07-01 07:00", True),  # summer time: 09:00 is 07:00 UTC
        ("09:00-17:00", DAILY, "07-01 06:59", False),
        ("06:00-06:00", (1,), "11-25 04:59", True),  # equal ends: a whole day
        ("06:00-06:00", (1,), "11-25 05:00", False),
    ],
)
def test_a_window_is_open_by_the_wall_clock_of_its_zone(text, days, at, expected):
    assert is_open(window(text, days), utc(at)) is expected


@pytest.mark.parametrize(
    ("text", "days", "at", "opens"),
    [
        ("22:00-06:00", DAILY, "11-24 12:00", "11-24 21:00"),
        ("09:00-17:00", (0,), "11-24 12:00", "11-30 08:00"),
        ("09:00-17:00", DAILY, "11-24 08:00", "11-25 08:00"),  # open now: the next time
        ("02:30-04:00", DAILY, "03-28 12:00", "03-29 01:00"),  # forward: 02:30 does not exist, the clock shows 03:00
        ("02:10-02:50", DAILY, "03-28 12:00", "03-30 00:10"),  # forward: jumped over, the next day then
        ("02:10-02:50", (6,), "03-22 12:00", "04-05 00:10"),  # the only day of the week is jumped over
        ("02:30-02:45", DAILY, "10-24 12:00", "10-25 00:30"),  # back: the first 02:30, summer time
        ("02:30-02:45", DAILY, "10-25 00:50", "10-25 01:30"),  # ... and the second
        ("01:30-02:15", DAILY, "10-25 00:20", "10-25 01:00"),  # back into it: the clock is put to 02:00 again
        ("09:00-17:00", DAILY, "10-24 16:00", "10-25 08:00"),  # an hour later by UTC than the day before
        ("09:00-17:00", DAILY, "03-28 17:00", "03-29 07:00"),  # an hour earlier
    ],
)
def test_a_window_opens_at_the_first_instant_it_is_open(text, days, at, opens):
    assert opens_at([window(text, days)], utc(at)) == utc(opens)
    assert is_open(window(text, days), utc(opens))


def test_the_first_of_several_windows_counts_and_none_is_no_time():
    both = [window("20:00-21:00"), window("13:00-14:00", zone="UTC")]
    assert opens_at(both, utc("11-24 12:30")) == utc("11-24 13:00")
    assert any_open(both, utc("11-24 13:30"))
    assert not any_open(both, utc("11-24 14:30"))
    assert opens_at([], 0.0) is None
    assert opens_at([window("09:00-17:00", days=())], 0.0) is None


def test_the_opening_is_never_missed_in_any_season():
    """Against the definition: the first minute after `at`, on which nothing was open before it, at which it is open."""
    here = window("01:45-03:15", days=(6,))
    for week in (0, 5, 11, 12, 13, 20, 30, 41, 42, 43, 51):  # the clock changes in the 13th and in the 43rd
        at = utc("01-05 00:00") + week * 7 * 86400.0
        minutes = (at + 60.0 * n for n in range(1, 16 * 1440))
        assert opens_at([here], at) == next(t for t in minutes if is_open(here, t))


def test_local_time_has_the_zone_s_offset():
    assert local(utc("07-01 00:00"), ZURICH).isoformat() == "2026-07-01T02:00:00+02:00"
