"""The proven lower bound: the relaxation in whole numbers of bins, by branch and bound over how many of a kind are in use.

Bins that give the same are interchangeable but for what it costs to leave them: asking about their number, not about each,
makes the search short. Its linear problems are solved by HiGHS (the only module that knows it). What comes out is proved by a
`Proof`, that the checker follows without searching. By-products: what a unit of each resource is worth, and the outline (which
bins to keep, how many of each size to rent) that the optimiser tries to fill. No rule about packings may be here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray
from autoscaler.packing.kinds import Kinds, Linear
from autoscaler.packing.proof import Proof
from autoscaler.packing.relaxation import Relaxation

SAFETY = 1e-10  # relative to the sums behind a bound, taken off it: more than sums of floats are off by
ENOUGH = 1e-7  # relative; what was found is the cheapest, up to this
WHOLE = 1e-6  # HiGHS gives numbers to about this


@dataclass(frozen=True, eq=False)
class Outline:
    """keep: (b,) bins to keep; rent: (s,) bins to rent of each size."""

    keep: BoolArray
    rent: IntArray


@dataclass(frozen=True, eq=False)
class Bound:
    """`value`: no packing costs less; inf: there is no packing. `outline`: the best whole-numbered one found, if any.
    `worth`: (q,) of a unit of each row in the linear relaxation."""

    value: float
    worth: FloatArray
    outline: Outline | None = None
    proof: Proof | None = None


def linear(relaxation: Relaxation) -> Bound:
    """The linear relaxation's bound, weaker and quicker."""
    return integral(relaxation, 1)


def integral(relaxation: Relaxation, boxes: int, stop: Callable[[], bool] = lambda: False) -> Bound:
    """The bound over whole numbers of bins, by at most `boxes` linear problems (so: the same everywhere), or what is proved by
    the time `stop` says so."""
    kinds = Kinds.of(relaxation)
    if (kinds.short(kinds.most) > WHOLE).any():
        return Bound(np.inf, np.zeros(len(relaxation.need)))
    search = _Search(kinds)
    while search.solved < boxes and not search.ended and (search.solved == 1 or not stop()):
        search.divide()
    value = max(0.0, min(search.proved(case) for case in search.leaves))
    return Bound(value, search.root.worth, search.outline(), search.proof(relaxation))


@dataclass(eq=False, slots=True)
class _Case:
    """All packings with `least` to `most` (c,) bins of each kind in use; where it was divided: the question and its two."""

    least: IntArray
    most: IntArray
    value: float
    worth: FloatArray
    counts: FloatArray
    asked: int = NOWHERE
    limit: int = 0
    parts: tuple[_Case, ...] = ()


class _Search:
    """Best case first, of equals the older. Infeasible cases need no more questions, and prove themselves by their worth."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds, self._linear, self.solved = kinds, Linear(kinds), 0
        self._open: list[tuple[float, int, _Case]] = []
        self._found, self._cost = kinds.most, kinds.cost(kinds.most)
        self.root = self._case(kinds.least, kinds.most, 0.0, np.zeros(len(kinds.need)))

    @property
    def ended(self) -> bool:
        """Nothing that is left can be cheaper than what was found."""
        return not self._open or self._open[0][0] >= self._cost - ENOUGH * abs(self._cost)

    def divide(self) -> None:
        """Ask about the kind whose number is least whole in the cheapest case."""
        _, _, case = heapq.heappop(self._open)
        distance = np.abs(case.counts - np.rint(case.counts))
        case.asked = int(np.argmax(distance))
        if distance[case.asked] <= WHOLE:
            case.asked = NOWHERE  # as cheap as it gets, however HiGHS's tolerances look at it
            return
        case.limit = int(np.floor(case.counts[case.asked]))
        most, least = case.most.copy(), case.least.copy()
        most[case.asked], least[case.asked] = case.limit, case.limit + 1
        case.parts = (
            self._case(case.least, most, case.value, case.worth),
            self._case(least, case.most, case.value, case.worth),
        )

    def _case(self, least: IntArray, most: IntArray, value: float, worth: FloatArray) -> _Case:
        """With its linear problem solved; as good as what it is part of, where that cannot be."""
        self.solved += 1
        kinds = self._kinds
        short = kinds.short(most)
        if (short > WHOLE).any():
            return _Case(least, most, np.inf, kinds.unreachable(short), most.astype(np.float64))
        solution = self._linear.solve(least, most)
        if solution is None:
            return _Case(least, most, value, worth, most.astype(np.float64))
        case = _Case(least, most, max(solution.value, value), solution.worth, solution.counts)
        counts = np.clip(np.ceil(case.counts - WHOLE).astype(np.int64), least, most)
        if (cost := kinds.cost(counts)) < self._cost:
            self._found, self._cost = counts, cost
        heapq.heappush(self._open, (case.value, self.solved, case))
        return case

    def proved(self, case: _Case) -> float:
        """What its worth proves, with what floats may be off taken off."""
        kinds = self._kinds
        value = kinds.proved(case.least, case.most, case.worth)
        sums = abs(kinds.base) + float(case.worth @ kinds.need) + abs(value)
        return value - SAFETY * sums if np.isfinite(value) else value

    @property
    def leaves(self) -> list[_Case]:
        return [case for case in self._depth_first() if not case.parts]

    def _depth_first(self) -> list[_Case]:
        order, waiting = list[_Case](), [self.root]
        while waiting:
            case = waiting.pop()
            order.append(case)
            waiting += reversed(case.parts)
        return order

    def proof(self, relaxation: Relaxation) -> Proof:
        order = self._depth_first()
        return Proof(
            resource=relaxation.resource,
            at_least=relaxation.at_least,
            kind=self._kinds.kind,
            asked=np.array([case.asked if case.parts else NOWHERE for case in order], dtype=np.int64),
            limit=np.array([case.limit for case in order], dtype=np.int64),
            worth=np.array([case.worth for case in order if not case.parts]),
        )

    def outline(self) -> Outline:
        keep, rent = self._kinds.chosen(self._found)
        return Outline(keep, rent)
