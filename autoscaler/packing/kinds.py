"""Bins of a kind, cheapest first, and the linear problem over how many of each kind are in use. HiGHS is known here alone.

Separate from the search in bound.py, which asks about numbers only. Of bins that give the same, the k that cost least to keep
rather than leave are used: what k of a kind cost is a convex sum, and that is all the relaxation knows of single bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import highspy
import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.packing.relaxation import OVERFULL, Relaxation

TINY = 1e-200
NEGLIGIBLE = 1e-9  # of what one bin gives: whoever needs so little is no reason for one
OVERSHOOT = 4.0  # what cannot be is proved dearer than everything together by this factor


@dataclass(frozen=True, eq=False)
class Kinds:
    """kind: (b + s,). gives: (c, q). need: (q,). least, most: (c,) that may be in use. base: what it costs to use the least.
    order: for each kind its columns, one entry for each bin that may be used, cheapest first; steps: what each costs more."""

    kind: IntArray
    gives: FloatArray
    need: FloatArray
    least: IntArray
    most: IntArray
    base: float
    order: tuple[IntArray, ...]
    steps: tuple[FloatArray, ...]
    bins: int
    sizes: int
    forced: BoolArray

    @classmethod
    def of(cls, relaxation: Relaxation) -> Kinds:
        bins, sizes = len(relaxation.keep_cost), len(relaxation.size_price)
        offered = np.concatenate([relaxation.bin_gives, relaxation.size_gives])
        asks = relaxation.need > np.maximum(NEGLIGIBLE * offered.max(axis=0, initial=0.0), TINY)
        need = np.where(asks, relaxation.need, 0.0)  # whatever is left out, the bound stays one
        # no bin gives more than is needed: with whole bins that cuts off no answer
        gives, kind = np.unique(np.minimum(offered, need), axis=0, return_inverse=True)
        kind = kind.ravel()
        forced = np.isinf(relaxation.leave_cost)
        left = np.where(forced, 0.0, relaxation.leave_cost)
        step = np.concatenate([relaxation.keep_cost - left, relaxation.size_price])
        times = np.concatenate([(~forced).astype(np.int64), relaxation.size_most])
        columns = np.repeat(np.arange(bins + sizes), times)
        columns = columns[np.argsort(step[columns], kind="stable")]
        columns = columns[np.argsort(kind[columns], kind="stable")]
        edges = np.searchsorted(kind[columns], np.arange(len(gives) + 1))
        order = tuple(columns[edges[c] : edges[c + 1]] for c in range(len(gives)))
        least = np.bincount(kind[:bins][forced], minlength=len(gives)).astype(np.int64)
        return cls(
            kind=kind.astype(np.int64),
            gives=gives,
            need=need,
            least=least,
            most=least + np.diff(edges),
            base=float(left.sum() + relaxation.keep_cost[forced].sum()),
            order=order,
            steps=tuple(step[one] for one in order),
            bins=bins,
            sizes=sizes,
            forced=forced,
        )

    @cached_property
    def sums(self) -> tuple[FloatArray, ...]:
        """For each kind what the cheapest 0, 1, 2, ... more than the least cost."""
        return tuple(np.concatenate([[0.0], np.cumsum(one)]) for one in self.steps)

    def cost(self, counts: IntArray) -> float:
        """Of an outline with so many of each kind."""
        more = (counts - self.least).tolist()
        return self.base + float(sum(sums[k] for sums, k in zip(self.sums, more, strict=True)))

    def chosen(self, counts: IntArray) -> tuple[BoolArray, IntArray]:
        """(b,) bins to keep and (s,) to rent for so many of each kind."""
        used = np.concatenate([one[: counts[c] - self.least[c]] for c, one in enumerate(self.order)])
        times = np.bincount(used, minlength=self.bins + self.sizes)
        return self.forced | (times[: self.bins] > 0), times[self.bins :].astype(np.int64)

    def proved(self, least: IntArray, most: IntArray, worth: FloatArray) -> float:
        """What `worth` (q,) proves of packings with `least` to `most` of each kind in use."""
        value, each = self.base + float(worth @ self.need), self.gives @ worth * (1 + OVERFULL)
        for kind, steps in enumerate(self.steps):
            low, high = int(least[kind] - self.least[kind]), int(most[kind] - self.least[kind])
            if low > high:
                return np.inf
            used = min(max(int(np.searchsorted(steps, each[kind])), low), high)
            value += self.sums[kind][used] - (used + self.least[kind]) * each[kind]
        return float(value)

    def short(self, most: IntArray) -> FloatArray:
        """(q,) share of each row that `most` (c,) bins of each kind leave open; below 0: more than enough."""
        asks = self.need > 0
        return np.where(asks, 1 - (most @ self.gives) / np.where(asks, self.need, 1.0), 0.0)

    def unreachable(self, short: FloatArray) -> FloatArray:
        """A worth that proves that no packing leaves so large a share `short` (q,) of a row open."""
        row, worth = int(np.argmax(short)), np.zeros(len(short))
        dear = abs(self.base) + sum(float(np.abs(steps).sum()) for steps in self.steps)
        worth[row] = OVERSHOOT * dear / (short[row] * self.need[row])
        return worth


@dataclass(frozen=True, eq=False)
class Solution:
    """value: of the linear problem. worth: (q,) multipliers. counts: (c,) bins in use, in fractions."""

    value: float
    worth: FloatArray
    counts: FloatArray


class Linear:
    """The linear problem, warm from case to case: a column per different step of a kind, a row per kind beside those needed."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds, self._rows = kinds, len(kinds.need)
        runs = [np.unique(steps, return_counts=True) for steps in kinds.steps]
        self._of = np.repeat(np.arange(len(runs)), [len(price) for price, _ in runs])
        self._solver = _solver(kinds, runs, self._of)

    def solve(self, least: IntArray, most: IntArray) -> Solution | None:
        """None: there is none."""
        kinds, solver = self._kinds, self._solver
        for kind in range(len(kinds.gives)):
            low, high = least[kind] - kinds.least[kind], most[kind] - kinds.least[kind]
            solver.changeRowBounds(self._rows + kind, float(low), float(high))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = solver.getSolution()
        used = np.bincount(self._of, weights=np.array(found.col_value), minlength=len(kinds.gives))
        duals = np.maximum(np.array(found.row_dual)[: self._rows], 0.0) / np.maximum(kinds.need, TINY)
        return Solution(
            solver.getInfo().objective_function_value + kinds.base,
            duals,
            np.asarray(used + kinds.least, dtype=np.float64),
        )


def _solver(kinds: Kinds, runs: list[tuple[FloatArray, IntArray]], of: IntArray) -> Any:
    rows, columns = len(kinds.need), len(of)
    gives = np.where(kinds.need > 0, kinds.gives / np.maximum(kinds.need, TINY), 0.0)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows + len(kinds.gives)
    lp.col_cost_ = np.concatenate([price for price, _ in runs])
    lp.col_lower_ = np.zeros(columns)
    lp.col_upper_ = np.concatenate([times for _, times in runs]).astype(np.float64)
    open_ = np.where(kinds.need > 0, 1.0 - kinds.least @ gives, 0.0)
    lp.row_lower_ = np.concatenate([open_, np.zeros(len(kinds.gives))])
    lp.row_upper_ = np.full(rows + len(kinds.gives), highspy.kHighsInf)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(columns + 1) * (rows + 1)
    lp.a_matrix_.index_ = np.concatenate([np.tile(np.arange(rows), (columns, 1)), rows + of[:, None]], axis=1).ravel()
    lp.a_matrix_.value_ = np.concatenate([gives[of], np.ones((columns, 1))], axis=1).ravel()
    solver = highspy._core._Highs()  # noqa: SLF001  the public wrapper writes a banner to stdout before it can be silenced
    for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off")):
        solver.setOptionValue(option, value)
    solver.passModel(lp)
    return solver
