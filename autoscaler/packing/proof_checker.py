"""What does a proof prove? Followed case by case in exact fractions: no solver, no search, no rounding, no tolerance but SLACK.

Separate from checker.py, which looks at one packing: this is about all of them. Everything is reckoned anew from the question
(what is demanded, what bins of a kind give at most, what they cost); of the proof only kinds, questions and worths are taken,
and any of them yield a true bound: by weak duality, within each case, and every number of bins is within one case.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

from autoscaler.packing.problem import Problem
from autoscaler.packing.proof import Proof

SLACK = Fraction(2, 10**9)  # relative: a packing is right even if a bin holds by so much more than it has
Cost = Fraction | float  # infinite where there is no packing at all


@dataclass(frozen=True, slots=True)
class _Row:
    """demanded, and the most that one bin of each kind gives."""

    demanded: Fraction
    given: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Bins of a kind that may be used or not, cheapest first: steps[i] is what each of the next ones costs, upto[i] how many there
    are up to and with these, sums[i] what those cost together. always: how many are used in any case."""

    always: int
    steps: tuple[Fraction, ...]
    upto: tuple[int, ...]
    sums: tuple[Fraction, ...]

    def least(self, low: int, high: int | None, gives: Fraction) -> Cost:
        """The least that `low` to `high` of them cost less what they give; infinite where there are not so many."""
        low, there = max(0, low - self.always), self.upto[-1] if self.upto else 0
        high = there if high is None else min(there, high - self.always)
        if low > high:
            return float("inf")
        worthwhile = bisect_left(self.steps, gives)
        used = min(max(self.upto[worthwhile - 1] if worthwhile else 0, low), high)
        return self._cost(used) - (used + self.always) * gives

    def _cost(self, used: int) -> Fraction:
        whole = bisect_right(self.upto, used)
        upto, cost = (self.upto[whole - 1], self.sums[whole - 1]) if whole else (0, Fraction(0))
        return cost + (self.steps[whole] * (used - upto) if used > upto else 0)


def proved(problem: Problem, proof: Proof) -> Cost:
    """The lower bound that `proof` proves. Raises ValueError where it is none."""
    _refuse_malformed(problem, proof)
    kinds = 1 + int(proof.kind.max(initial=0))
    rows = lru_cache(maxsize=None)(lambda q: _row(problem, proof, q, kinds))
    base, kind = _costs(problem, proof, kinds)
    least: Cost = float("inf")
    for worth, limits in zip(proof.worth.tolist(), _cases(proof, kinds), strict=True):
        used = [(Fraction(each), rows(q)) for q, each in enumerate(worth) if each]
        total: Cost = base + sum(each * row.demanded for each, row in used)
        for number, (low, high) in enumerate(limits):
            gives = sum((each * row.given[number] for each, row in used), Fraction(0))
            total += kind[number].least(low, high, gives)
        least = min(least, total)
    return least


def _refuse_malformed(problem: Problem, proof: Proof) -> None:
    rows = len(proof.resource)
    if (
        proof.kind.shape != (problem.bins + len(problem.size_price),)
        or proof.at_least.shape != (rows,)
        or proof.limit.shape != proof.asked.shape
        or proof.worth.shape != (len(proof.worth), rows)
    ):
        raise ValueError("shapes that do not go together")
    if not (proof.kind >= 0).all() or not ((proof.resource >= 0) & (proof.resource < problem.demand.shape[1])).all():
        raise ValueError("kinds or resources that there are not")
    if not ((proof.worth >= 0) & (proof.worth < float("inf"))).all():
        raise ValueError("a worth that is negative or no number")


def _cases(proof: Proof, kinds: int) -> Iterator[tuple[tuple[int, int | None], ...]]:
    """For each case how many bins of each kind are in use: at least, at most (None: any number)."""
    waiting: list[tuple[tuple[int, int | None], ...]] = [((0, None),) * kinds]
    for asked, limit in zip(proof.asked.tolist(), proof.limit.tolist(), strict=True):
        if not waiting:
            raise ValueError("questions after the last case")
        case = waiting.pop()
        if asked < 0:
            yield case
            continue
        if asked >= kinds:
            raise ValueError(f"a question about kind {asked} of {kinds}")
        low, high = case[asked]
        no, yes = list(case), list(case)
        no[asked], yes[asked] = (max(low, limit + 1), high), (low, limit if high is None else min(high, limit))
        waiting += [tuple(no), tuple(yes)]
    if waiting:
        raise ValueError("questions without an answer")


def _row(problem: Problem, proof: Proof, row: int, kinds: int) -> _Row:
    resource, at_least = int(proof.resource[row]), float(proof.at_least[row])
    amounts = [Fraction(amount) for amount in problem.demand[:, resource].tolist()]
    offered = [Fraction(room) * (1 + SLACK) for part in (problem.bin_capacity, problem.size_capacity) for room in part[:, resource].tolist()]  # fmt: skip
    if at_least > 0:
        large = list(accumulate(sorted(amount for amount in amounts if amount >= at_least)))
        gives = [Fraction(bisect_right(large, room)) for room in offered]
        demanded = Fraction(len(large))
    else:
        gives, demanded = offered, sum(amounts, Fraction(0))
        for number in range(problem.bins):
            if problem.closed[number]:
                gives[number] = min(gives[number], sum((amounts[i] for i in problem.residents[number]), Fraction(0)))
    most = [Fraction(0)] * kinds
    for kind, given in zip(proof.kind.tolist(), gives, strict=True):
        most[kind] = max(most[kind], min(given, demanded))  # of whole bins one that gives more is one that gives enough
    return _Row(demanded, tuple(most))


def _costs(problem: Problem, proof: Proof, kinds: int) -> tuple[Fraction, list[_Kind]]:
    """What is paid in any case, and for each kind what one more in use costs: its price, less the moves that it saves."""
    base, always, offers = Fraction(0), [0] * kinds, [list[tuple[Fraction, int]]() for _ in range(kinds)]
    stuck = {row for row in problem.pinned.tolist() if row >= 0}
    for number, kind in enumerate(proof.kind.tolist()):
        if number >= problem.bins:
            size = number - problem.bins
            offers[kind].append((Fraction(float(problem.size_price[size])), int(problem.size_limit[size])))
            continue
        used = Fraction(float(problem.bin_price[number])) + _shedding(problem, number)
        if problem.fixed[number] or number in stuck:
            base, always[kind] = base + used, always[kind] + 1
        else:
            leaving = sum((Fraction(c) for c in problem.move_cost[problem.residents[number]].tolist()), Fraction(0))
            base += leaving
            offers[kind].append((used - leaving, 1))
    return base, [_kind(count, sorted(offer)) for count, offer in zip(always, offers, strict=True)]


def _kind(always: int, offers: list[tuple[Fraction, int]]) -> _Kind:
    offers = [(step, times) for step, times in offers if times]
    return _Kind(
        always,
        tuple(step for step, _ in offers),
        tuple(accumulate(times for _, times in offers)),
        tuple(accumulate(step * times for step, times in offers)),
    )


def _shedding(problem: Problem, row: int) -> Fraction:
    """The least that it costs to move as much out of a bin as is too much for it, if items could be moved in part."""
    costs, most = problem.move_cost[problem.residents[row]].tolist(), Fraction(0)
    for resource in range(problem.demand.shape[1]):
        amounts = [Fraction(a) for a in problem.demand[problem.residents[row], resource].tolist()]
        excess = sum(amounts, Fraction(0)) - Fraction(float(problem.bin_capacity[row, resource])) * (1 + SLACK)
        if excess <= 0:
            continue
        paid = Fraction(0)
        for each, amount in sorted((Fraction(c) / a, a) for c, a in zip(costs, amounts, strict=True) if a):
            if excess <= 0:
                break
            paid, excess = paid + each * min(amount, excess), excess - amount
        most = max(most, paid)
    return most
