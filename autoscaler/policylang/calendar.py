"""How times of the week and time zones are written: `mon-fri`, `22:00`, `Europe/Berlin`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from autoscaler.core.policy import Window
from autoscaler.policylang.forms import Form, Text, wrong
from autoscaler.policylang.tree import brief
from autoscaler.policylang.units import nearest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = tuple(range(7))
CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def _zone(value: str) -> str:
    """A zone of the IANA database, looked up where the core will look it up."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a name at all; a directory of the database
        close = nearest(value, sorted(available_timezones()))
        raise wrong(
            f"no time zone is called {brief(value)}; expected an IANA name such as Europe/Berlin{close}"
        ) from None
    return value


def _minute(value: Any) -> int:
    match = CLOCK.fullmatch(value) if isinstance(value, str) else None
    minute = int(match.group(1)) * 60 + int(match.group(2)) if match else -1
    if not match or minute > 24 * 60 or int(match.group(2)) > 59:
        raise wrong(f"{brief(value)} is not a time of day; expected hours:minutes such as 22:00")
    return minute


def _days(value: Any) -> tuple[int, ...]:
    """`mon-fri`, or a list of days and such ranges, to weekdays in order."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise wrong(f"{brief(value)} is not a list of days; expected mon-fri, or a list of {', '.join(DAYS)}")
    found = {day for word in list(words) for day in _range(word)}
    return tuple(sorted(found))


def _range(word: Any) -> tuple[int, ...]:
    ends = word.lower().split("-") if isinstance(word, str) else []
    if not 1 <= len(ends) <= 2 or any(end not in DAYS for end in ends):
        close = nearest(ends[0] if len(ends) == 1 else "", DAYS)
        raise wrong(f"{brief(word)} is not a day; expected one of {', '.join(DAYS)}, or a range such as mon-fri{close}")
    first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
    return tuple(day % 7 for day in range(first, (last if last >= first else last + 7) + 1))


def _instant(value: Any) -> float:
    """`2026-01-05T00:00:00Z` to seconds since the epoch; UTC where no offset is given."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        read = None
    if read is None or not 1970 <= read.year <= 2200:
        raise wrong(f"{brief(value)} is not a date and time; expected one such as 2026-01-05T00:00:00Z")
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


DAY_PATTERN = {"type": "string", "pattern": f"^({'|'.join(DAYS)})(-({'|'.join(DAYS)}))?$"}
TimeZone = Annotated[Text, AfterValidator(_zone)]
TimeOfDay = Annotated[
    int, BeforeValidator(_minute), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"})
]
Instant = Annotated[float, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(_days),
    WithJsonSchema({"anyOf": [DAY_PATTERN, {"type": "array", "items": DAY_PATTERN, "minItems": 1}]}),
]


class WindowForm(Form):
    """A stretch of the week; one whose end is before its start runs past midnight and belongs to the day it began on."""

    days: Days = Field(default=EVERY_DAY, description="days it begins on", json_schema_extra={"default": "mon-sun"})
    from_: TimeOfDay = Field(alias="from", description="when it opens")
    to: TimeOfDay = Field(description="when it closes; 24:00 is midnight at the end of the day")
    time_zone: TimeZone | None = Field(default=None, description="IANA name; the policy's where it is left out")

    @model_validator(mode="after")
    def _check_ends(self) -> WindowForm:
        if self.from_ == self.to:
            raise wrong("the window ends when it begins; expected two times, 00:00 and 24:00 for the whole day")
        return self

    def window(self, time_zone: str) -> Window:
        return Window(self.days, self.from_, self.to, self.time_zone or time_zone)
