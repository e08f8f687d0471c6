"""The optimiser: outline by the relaxation, fill it to the brim, improve, and say how far from the best it can be.

Pure: effort is counted in subproblems and trials, not in seconds, so that the same problem gives the same answer on every
machine; a caller that has a clock may hand in `stop`, and whatever was found by then is returned. This file only conducts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.packing.balance import balance
from autoscaler.packing.bound import Bound, Outline, integral, linear
from autoscaler.packing.construction import complete, construct, prices, standing
from autoscaler.packing.exact import MOST_ITEMS, solve_exactly
from autoscaler.packing.improvement import improve
from autoscaler.packing.problem import Packing, Problem, objective
from autoscaler.packing.proof import Proof
from autoscaler.packing.relaxation import Relaxation, relax

SCARCE_IN_A_BIN = 0.3  # chosen on benchmarks/packing: 0.001 leaves a tenth of the scarcer resource stranded


ALIKE = 1e-9  # relative: sums of floats may differ in the last digit
FLOOR_BOXES = 50  # of few cloud VMs fractions say little, and a few questions nearly all
FEW_LEFT = 0.02  # share of items without a place that are given one though time is up
MARGINS = (0.002, 0.005, 0.01, 0.02, 0.04)  # more demand than there is: outlines that are easier to fill


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try: `boxes` of the bound's search, `exchanges` per outline, `trials` of improvement; end once within
    `gap_fraction` of the bound."""

    boxes: int = 1000
    exchanges: int = 3000
    trials: int = 400
    gap_fraction: float = 0.002


@dataclass(frozen=True, eq=False)
class Answer:
    """`packing` None: there is none. `exact`: found by exhaustion, so that the objective is its own bound. `runner_up`: the
    cheapest of those that were found on the way and cost more; None where there was none. `proof` is that of the bound."""

    packing: Packing | None
    objective: float
    lower_bound: float
    exact: bool = False
    runner_up: Packing | None = None
    proof: Proof | None = None

    @property
    def gap_fraction(self) -> float:
        if self.lower_bound > 0:
            return self.objective / self.lower_bound - 1.0
        return 0.0 if self.objective <= 0 else float("inf")


def never() -> bool:
    """Nobody has a clock: effort alone ends the search."""
    return False


def solve(problem: Problem, effort: Effort | None = None, seed: int = 1, stop: Callable[[], bool] = never) -> Answer:
    """The best packing found, and a bound that no packing is below."""
    effort = effort or Effort()
    relaxation = relax(problem)
    bound = linear(relaxation)
    weights = _weights(problem, bound.worth)
    best = standing(problem)
    if best is None:
        nothing = np.zeros(len(problem.size_price), dtype=np.int64)
        best = construct(problem, np.ones(problem.bins, dtype=np.bool_), nothing, weights)
    seen = [best]
    if stop():
        return _answer(problem, seen, bound)
    if problem.items <= MOST_ITEMS:
        best, certain = solve_exactly(problem, best, weights)
        seen.append(best)
        if certain:
            found = _answer(problem, seen, bound)
            return replace(found, lower_bound=found.objective * (1 - ALIKE), exact=True)
    bound = integral(relaxation, effort.boxes, stop)
    enough, luck = bound.value * (1 + effort.gap_fraction), np.random.default_rng(seed)
    for outline in _outlines(relaxation, bound.outline, effort, stop):
        if stop() or _cost(problem, best) <= enough:
            break
        filling = balance(problem, outline.keep, outline.rent, weights, effort.exchanges, luck, stop)
        left = len(filling.unplaced())
        if stop() and left > FEW_LEFT * problem.items and best is not None:
            break  # to complete it would take longer than to have begun it did
        seen.append(complete(filling, weights))
        best = _better(problem, best, seen[-1])
        if not left:
            break  # a roomier outline costs more
    if best is not None:
        seen.append(improve(problem, best, weights, effort.trials, luck, stop, enough))
    return _answer(problem, seen, bound)


def floor(problem: Problem) -> float:
    """A bound that no packing is below, without looking for one, in milliseconds."""
    return integral(relax(problem), FLOOR_BOXES).value


def _outlines(
    relaxation: Relaxation, first: Outline | None, effort: Effort, stop: Callable[[], bool]
) -> Iterator[Outline]:
    """The cheapest outline, then those for a little more demand; each is looked for when it is asked for."""
    if first is not None:
        yield first
    for margin in MARGINS:
        found = integral(replace(relaxation, need=relaxation.need * (1 + margin)), effort.boxes, stop).outline
        if found is not None:
            yield found


def _weights(problem: Problem, multipliers: FloatArray) -> FloatArray:
    """(r,) what a unit of each resource is worth: the relaxation's multipliers, never near zero, for what is plenty in all
    is scarce in a bin that was filled without minding it."""
    usual = prices(problem)
    return np.asarray(np.maximum(multipliers[: len(usual)], SCARCE_IN_A_BIN * usual), dtype=np.float64)


def _better(problem: Problem, one: Packing | None, other: Packing | None) -> Packing | None:
    return other if _cost(problem, other) < _cost(problem, one) else one


def _cost(problem: Problem, packing: Packing | None) -> float:
    return np.inf if packing is None else objective(problem, packing)


def _answer(problem: Problem, seen: Sequence[Packing | None], bound: Bound) -> Answer:
    """The cheapest of `seen`, of equals the last (which had most work done on it), and the next."""
    ranked = sorted((_cost(problem, one), -place) for place, one in enumerate(seen))
    cost, packing = ranked[0][0], seen[-ranked[0][1]]
    other = next((seen[-place] for more, place in ranked if cost * (1 + ALIKE) < more < np.inf), None)
    return Answer(packing, cost, min(bound.value, cost), runner_up=other, proof=bound.proof)
