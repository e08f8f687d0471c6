"""What a session searches: numbers of a policy with the stretch each is tried in. Values only; nothing is tried here.

The stretch is derived from the declaration of the number and from what the policy says now: a share moves by REACH_FRACTION
either way, anything else up to REACH times as far, both within what the declaration allows. What has no bound above (prices,
times of the machines) states facts of the user's world, and limits are the operator's word: those are tuned only when named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10

from autoscaler.errors import UsageError
from autoscaler.policylang.numbers import Number, Steps, Written
from autoscaler.policylang.units import DURATION, SHARE, WHOLE, nearest

REACH_FRACTION = 0.25  # a load of 80 % is tried from 55 % to 100 %
REACH = 4.0  # a hurdle of 3 is tried from 1 (its least) to 12
LEAST_SHARE = 0.01  # where a share of nothing is forbidden or makes no sense
MOST_CHOICE = 1000  # a count that may be more than this is an effort (of the optimiser), not a choice
DIGITS = 3  # of a number that is tried: nobody reads more in a policy
STRATEGY = "strategy."
SAMPLES, WINDOW = "samples", ("window",)  # counts samples of the policy's window: beyond that it changes nothing


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number that is tuned, from `low` to `high` (both included, in the inner unit)."""

    number: Number
    low: float
    high: float

    @property
    def name(self) -> str:
        return self.number.name

    @property
    def steps(self) -> Steps:
        return self.number.steps

    @property
    def whole(self) -> bool:
        return self.number.quantity.unit is WHOLE

    @property
    def by_factors(self) -> bool:
        """Whether twice as much is as far as half as much: what is no share, over a stretch of more than one doubling."""
        return self.number.quantity.unit is not SHARE and self.low > 0 and self.high > 2 * self.low

    def rounded(self, value: float) -> float:
        """`value` as somebody would write it, within the stretch."""
        unit = self.number.quantity.unit
        if self.whole:
            return float(round(value))
        if unit is SHARE:
            value = round(value, DIGITS)
        elif unit is DURATION and value >= 10:
            value = float(round(value))
        elif value > 0:
            value = round(value, DIGITS - 1 - floor(log10(value)))
        return min(max(value, self.low), self.high)

    def shown(self, value: float | None) -> str:
        return "none" if value is None else self.number.quantity.unit.show(value)


def usual(written: Written) -> tuple[Dimension, ...]:
    """What is tuned where nothing is named: the strategy's own numbers that are declared with a range."""
    return tuple(_derived(written, number) for number in written.numbers if _is_choice(number))


def named(written: Written, searches: Sequence[str]) -> tuple[Dimension, ...]:
    """What `searches` name, each `NAME=LOW..HIGH` or `NAME` alone. Raises UsageError."""
    found = [_named(written, search) for search in searches]
    twice = {other.name for other in found if sum(one.name == other.name for one in found) > 1}
    if twice:
        raise UsageError(f"--search names {min(twice)} twice")
    return tuple(found)


def numbers_by_name(written: Written) -> Iterator[tuple[Number, Dimension | None]]:
    """All numbers of the policy, each with the stretch it would be tried in (None: one has to be given)."""
    for number in written.numbers:
        try:
            yield number, _derived(written, number)
        except UsageError:
            yield number, None


def _is_choice(number: Number) -> bool:
    quantity = number.quantity
    bounded = quantity.le is not None and (quantity.unit is not WHOLE or quantity.le <= MOST_CHOICE)
    return number.name.startswith(STRATEGY) and bounded and number.value is not None


def _named(written: Written, search: str) -> Dimension:
    name, equals, stretch = search.partition("=")
    number = _number(written, name.strip())
    if not equals:
        return _derived(written, number)
    ends = re.split(r"\.\.", stretch)
    if len(ends) != 2:
        raise UsageError(f"--search {search}: write {name}=LOW..HIGH, for instance {name}={_example(number)}")
    low, high = (_read(number, end.strip(), search) for end in ends)
    if low >= high:
        raise UsageError(f"--search {search}: there is nothing between {ends[0].strip()} and {ends[1].strip()}")
    return Dimension(number, low, high)


def _number(written: Written, name: str) -> Number:
    """By its whole name, or by as much of its end as no other number has."""
    known = {number.name: number for number in written.numbers}
    if name in known:
        return known[name]
    ending = [number for full, number in known.items() if full.endswith(f".{name}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UsageError(f"--search {name}: which one? {', '.join(number.name for number in ending)}")
    hint = nearest(name, list(known)) or nearest(name, [full.rpartition(".")[2] for full in known])
    raise UsageError(
        f"--search {name}: policy {written.name} has no such number{hint}; `flexcapsule tune --policy ... --numbers` lists them"
    )


def _read(number: Number, text: str, search: str) -> float:
    from pydantic_core import PydanticCustomError

    try:
        value: object = float(text) if re.fullmatch(r"[0-9]*\.[0-9]+|[0-9]+e-?[0-9]+", text) else text
        value = int(text) if text.isdecimal() else value
        found = number.quantity.read(value)
    except (PydanticCustomError, ValueError) as error:
        raise UsageError(f"--search {search}: {error}") from None
    if found is None:
        raise UsageError(f"--search {search}: {text} is no end of a stretch; give numbers")
    return found


def _derived(written: Written, number: Number) -> Dimension:
    """The stretch round what the policy says now. Raises UsageError where that gives none."""
    now, quantity = number.value, number.quantity
    if now is None or (now == 0 and quantity.unit is not SHARE):
        raise UsageError(
            f"--search {number.name}: the policy says {'none' if now is None else 0} there, which is no place to start from; "
            f"give a range: --search {number.name}={_example(number)}"
        )
    if quantity.unit is SHARE:
        low, high = now - REACH_FRACTION, now + REACH_FRACTION
        low = max(low, 0.0 if quantity.ge == 0 and now < REACH_FRACTION else LEAST_SHARE)
    else:
        low, high = now / REACH, now * REACH
    most = quantity.le if quantity.le is not None else quantity.unit.most
    if quantity.lt is not None:
        most = quantity.lt - LEAST_SHARE
    low, high = max(low, quantity.ge or 0.0), min(high, most)
    if number.steps[-1] == SAMPLES:
        (window,) = (other.value for other in written.numbers if other.steps == WINDOW)
        high = min(high, max(window or now, now))
    if quantity.unit is WHOLE:
        low, high = max(1.0, float(round(low))), float(round(high))
    return Dimension(number, low, high)


def _example(number: Number) -> str:
    read = number.quantity.unit
    examples = {SHARE: "5%..20%", DURATION: "1m..10m", WHOLE: "2..8"}
    return examples.get(read, f"{read.example.split(' or ')[0]}..{read.example.split(' or ')[-1]}")
