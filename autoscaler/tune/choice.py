"""Which trial wins, of those that none beats in everything. Values only; what was tried is not this module's concern.

The rule, in the words of `--help`: the cheapest of those that leave no more than so much of the demand unserved; of those
that cost hardly more than it, the one that moves least. Where none serves that much, the one that serves most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALIKE_FRACTION = 0.01  # of the cost: the next day's load makes a bigger difference


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that was scored. `values`: by the numbers' names, in the inner unit. `figures`: cost, unserved, migrations."""

    number: int
    values: Mapping[str, float]
    cost: float
    unserved_fraction: float
    migrations: float

    @property
    def figures(self) -> tuple[float, float, float]:
        return self.cost, self.unserved_fraction, self.migrations


def unbeaten(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """Those that no other is at least as good as in all figures and better in one; of equals the first. By number."""
    return tuple(one for one in tried if not any(_beats(other, one) for other in tried))


def _beats(one: Tried, other: Tried) -> bool:
    if one.figures == other.figures:
        return one.number < other.number
    return all(mine <= theirs for mine, theirs in zip(one.figures, other.figures, strict=True))


def winner(tried: Sequence[Tried], most_unserved_fraction: float) -> Tried:
    """By the rule above; `tried` holds at least one."""
    serving = [one for one in tried if one.unserved_fraction <= most_unserved_fraction]
    if not serving:
        return min(tried, key=lambda one: (one.unserved_fraction, one.cost, one.migrations, one.number))
    cheapest = min(one.cost for one in serving)
    alike = [one for one in serving if one.cost <= cheapest * (1 + ALIKE_FRACTION)]
    return min(alike, key=lambda one: (one.migrations, one.cost, one.unserved_fraction, one.number))
