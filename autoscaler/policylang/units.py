"""Units at the door: how durations, amounts of memory, rates, shares and numbers are written, and what is said if they are not.

Separate so that documents name a quantity and its range, and nothing else. Inside there are seconds, bytes and fractions only.
A number without a unit is refused where a unit is needed: 180 of what?
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from autoscaler.policylang.tree import brief

SECONDS: Mapping[str, float] = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
BYTES: Mapping[str, float] = {
    "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
RATES: Mapping[str, float] = {
    **{f"{name}/s": factor for name, factor in BYTES.items()},
    "kbit/s": 125.0, "Mbit/s": 125e3, "Gbit/s": 125e6,
}  # fmt: skip
NONE = "none"
SPELLED_OUT = {
    "millisecond": "ms", "msec": "ms", "sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h", "day": "d",
    "week": "w", "ki": "KiB", "mi": "MiB", "gi": "GiB", "ti": "TiB",
}  # fmt: skip

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
PARTS = re.compile(rf"({NUMBER}) ?([A-Za-zµ/]*)")


@dataclass(frozen=True, slots=True)
class Unit:
    """One way of writing a quantity. `read`: text or number to a float, or None. `pattern`: for editors."""

    name: str
    example: str
    read: Callable[[Any], float | None]
    show: Callable[[float], str]
    pattern: str | None = None
    words: tuple[str, ...] = ()
    most: float = math.inf  # beyond it nobody means it


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_unit(factors: Mapping[str, float], parts: int) -> Callable[[Any], float | None]:
    """A reader of one number with one of the units, or of up to `parts` of them one after the other (1h30m)."""

    def read(value: Any) -> float | None:
        if value == 0 and _is_number(value):
            return 0.0
        if not isinstance(value, str):
            return None
        text, total, place = value.strip(), 0.0, 0
        for count, match in enumerate(PARTS.finditer(text)):
            if match.start() != place or match.group(2) not in factors or count >= parts:
                return None
            total += float(match.group(1)) * factors[match.group(2)]
            place = match.end()
        return total if place == len(text) and text else None

    return read


def _share(value: Any) -> float | None:
    if _is_number(value):
        return float(value)
    match = re.fullmatch(rf"(-?{NUMBER}) ?%", value.strip()) if isinstance(value, str) else None
    return float(match.group(1)) / 100.0 if match else None


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _whole(value: Any) -> float | None:
    return int(value) if _is_number(value) and value == int(value) else None


def _shower(factors: Mapping[str, float]) -> Callable[[float], str]:
    """Shows a value in the biggest unit that leaves a short number."""

    def show(value: float) -> str:
        fitting = [
            (factor, name)
            for name, factor in factors.items()
            if value >= factor and value / factor == round(value / factor, 3)
        ]
        factor, name = max(fitting, default=(1.0, next(iter(n for n, f in factors.items() if f == 1.0))))
        return f"{value / factor:.12g}{name}"

    return show


def _pattern(factors: Mapping[str, float], repeat: str) -> str:
    return rf"^(?:{NUMBER} ?(?:{'|'.join(factors)})){repeat}$"


DURATION = Unit(
    "a duration",
    "90s, 5m or 1h30m",
    _with_unit(SECONDS, 6),
    _shower(SECONDS),
    _pattern(SECONDS, "+"),
    tuple(SECONDS),
    3650 * 86400.0,
)
MEMORY = Unit(
    "an amount of memory", "512MiB or 4GiB", _with_unit(BYTES, 1), _shower(BYTES), _pattern(BYTES, ""), tuple(BYTES)
)
RATE = Unit("a rate", "125MB/s or 1Gbit/s", _with_unit(RATES, 1), _shower(RATES), _pattern(RATES, ""), tuple(RATES))
SHARE = Unit("a share", "80% or 0.8", _share, lambda value: f"{value * 100:g}%", rf"^{NUMBER} ?%$")
PER_CENT = Unit(
    "a percentage",
    "25%",
    lambda v: None if _share(v) is None or _is_number(v) else 100 * (_share(v) or 0),
    lambda v: f"{v:g}%",
    rf"^{NUMBER} ?%$",
)
REAL = Unit("a number", "1.5", _number, lambda value: f"{value:.12g}")
WHOLE = Unit("a whole number", "3", _whole, lambda value: f"{value:.12g}")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A pydantic annotation: a number of some unit within a range; `optional`: the word `none` (or null) is None."""

    unit: Unit
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    optional: bool = False
    word: str = NONE  # how None is written

    def read(self, value: Any) -> float | None:
        """`value` as written to the quantity inside. Raises PydanticCustomError."""
        if self.optional and (value is None or value == self.word):
            return None
        found = self.unit.read(value) if _sane(value) else None
        if found is None or not math.isfinite(found) or not self._holds(found):
            raise PydanticCustomError(
                "quantity", "{message}", {"message": f"{brief(value)} is {self._complaint(value, found)}"}
            )
        return found

    @property
    def expected(self) -> str:
        """What is expected, in words: a duration such as 90s, at least 1s."""
        bounds = [f"{word} {self.unit.show(bound)}" for word, bound in self._bounds() if bound is not None]
        text = f"{self.unit.name} such as {self.unit.example}" + (f", {' and '.join(bounds)}" if bounds else "")
        return text + (f", or {self.word}" if self.optional else "")

    def _bounds(self) -> tuple[tuple[str, float | None], ...]:
        most = self.unit.most if self.le is None and self.lt is None and self.unit.most < math.inf else self.le
        return ("at least", self.ge), ("more than", self.gt), ("at most", most), ("less than", self.lt)

    def _holds(self, value: float) -> bool:
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
            and value <= self.unit.most
        )

    def _complaint(self, value: Any, found: float | None) -> str:
        if found is not None:
            hint = f" (did you mean {value}%?)" if self.unit is SHARE and _is_number(value) and 1 < value <= 100 else ""
            return f"out of range; expected {self.expected}{hint}"
        hint = self._nearest_unit(value) if isinstance(value, str) else ""
        if self.unit.words and _is_number(value):
            return f"without a unit; expected {self.expected}"
        if self.unit is PER_CENT and _is_number(value):
            return f"without a % sign; expected {self.expected}"
        return f"not {self.unit.name}; expected {self.expected}{hint}"

    def _nearest_unit(self, value: str) -> str:
        written = _unit_of(value)
        if written in self.unit.words:
            return ""
        meant = SPELLED_OUT.get(written.lower().removesuffix("s"))
        return f"; nearest: {meant}" if meant in self.unit.words else nearest(written, self.unit.words)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del handler
        whole = source is int or int in get_args(source)
        return core_schema.no_info_plain_validator_function(
            lambda value: None if (found := self.read(value)) is None else int(found) if whole else found,
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del schema, handler
        return self.json_schema()

    def json_schema(self) -> dict[str, Any]:
        """For editors: the texts and numbers that `read` takes (ranges only where plain numbers are written)."""
        kinds: list[dict[str, Any]] = []
        if self.unit.pattern is not None:
            kinds.append({"type": "string", "pattern": self.unit.pattern})
        if self.unit.words:
            kinds.append({"const": 0})
        elif self.unit is not PER_CENT:
            kinds.append({"type": "integer" if self.unit is WHOLE else "number", **self._json_bounds()})
        if self.optional:
            kinds.append({"enum": [self.word, None]})
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}

    def _json_bounds(self) -> dict[str, float]:
        named = {"minimum": self.ge, "exclusiveMinimum": self.gt, "maximum": self.le, "exclusiveMaximum": self.lt}
        return {name: bound for name, bound in named.items() if bound is not None}


def nearest(word: str, known: Sequence[str]) -> str:
    """`; nearest: x` if a known word is close to `word`, case ignored; else nothing."""
    folded = {name.lower(): name for name in reversed(known)}
    close = get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6) if word else []
    return f"; nearest: {folded[close[0]]}" if close else ""


def _sane(value: Any) -> bool:
    return not isinstance(value, str) or len(value) <= 100


def _unit_of(value: str) -> str:
    match = re.search(r"[A-Za-z/]+\s*$", value)
    return match.group().strip() if match else ""
