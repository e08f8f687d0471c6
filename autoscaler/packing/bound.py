"""The proven lower bound: the relaxation in whole numbers of bins, solved by HiGHS. The only module that knows HiGHS.

By-products: what a unit of each resource is worth (the linear relaxation's multipliers), and the outline (which bins to
keep, how many of each size to rent) that the optimiser tries to fill. No rule about packings may be here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.packing.relaxation import Relaxation

SAFETY = 1e-6  # relative; HiGHS's own feasibility tolerance, taken off the bound
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Outline:
    """keep: (b,) bins to keep; rent: (s,) bins to rent of each size."""

    keep: BoolArray
    rent: IntArray


@dataclass(frozen=True, eq=False)
class Bound:
    """`value`: no packing costs less; inf: there is no packing. `outline`: the best whole-numbered one found, if any."""

    value: float
    outline: Outline | None = None


def linear(relaxation: Relaxation) -> tuple[float, FloatArray]:
    """The linear relaxation's value (a bound, weaker and quicker) and its multipliers (q,), per unit of each row's need."""
    highs = _model(relaxation, whole=False)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return np.inf, np.zeros(len(relaxation.need))
    duals = np.maximum(np.array(highs.getSolution().row_dual), 0.0) / np.maximum(relaxation.need, TINY)
    return _safe(highs.getInfo().objective_function_value + _base(relaxation)), duals


def integral(relaxation: Relaxation, boxes: int, stop: Callable[[], bool] | None = None) -> Bound:
    """The bound over whole numbers of bins, by branch and bound over at most `boxes` subproblems (so: the same everywhere), or
    what is proved by the time `stop` says so."""
    highs = _model(relaxation, whole=True)
    if stop is not None:
        _interruptible(highs, stop)
    highs.setOptionValue("mip_max_nodes", boxes)
    highs.setOptionValue("mip_rel_gap", SAFETY)
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return Bound(np.inf)
    info = highs.getInfo()
    value = _safe(info.mip_dual_bound + _base(relaxation)) if np.isfinite(info.mip_dual_bound) else 0.0
    found = np.array(highs.getSolution().col_value)
    if info.primal_solution_status != highspy.kSolutionStatusFeasible:
        return Bound(value)
    bins = len(relaxation.keep_cost)
    return Bound(value, Outline(found[:bins] > 0.5, np.rint(found[bins:]).astype(np.int64)))


def _interruptible(highs: Any, stop: Callable[[], bool]) -> None:
    def asked(_kind: Any, _message: str, _out: Any, answer: Any, _about: Any) -> None:
        if answer is not None and stop():
            answer.user_interrupt = True

    highs.setCallback(asked, None)
    highs.startCallback(highspy.cb.HighsCallbackType.kCallbackMipInterrupt)


def _safe(value: float) -> float:
    return float(max(0.0, value - SAFETY * abs(value)))


def _base(relaxation: Relaxation) -> float:
    """What it would cost to give up every bin that can be given up: the model counts from there."""
    return float(relaxation.leave_cost[np.isfinite(relaxation.leave_cost)].sum())


def _model(relaxation: Relaxation, *, whole: bool) -> Any:
    bins, sizes, rows = len(relaxation.keep_cost), len(relaxation.size_price), len(relaxation.need)
    forced = np.isinf(relaxation.leave_cost)
    offered = np.concatenate([relaxation.bin_gives, relaxation.size_gives])
    # no bin gives more than is needed: with whole bins that cuts off no answer, and a need near nothing stays a number
    gives = np.minimum(offered, relaxation.need) / np.maximum(relaxation.need, TINY)
    wanted = (relaxation.need > 0).astype(np.float64)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = bins + sizes, rows
    lp.col_cost_ = np.concatenate(
        [relaxation.keep_cost - np.where(forced, 0.0, relaxation.leave_cost), relaxation.size_price]
    )
    lp.col_lower_ = np.concatenate([forced.astype(np.float64), np.zeros(sizes)])
    lp.col_upper_ = np.concatenate([np.ones(bins), relaxation.size_most.astype(np.float64)])
    lp.row_lower_, lp.row_upper_ = wanted, np.full(rows, highspy.kHighsInf)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(bins + sizes + 1) * rows
    lp.a_matrix_.index_ = np.tile(np.arange(rows), bins + sizes)
    lp.a_matrix_.value_ = np.where(wanted > 0, gives, 0.0).ravel()
    if whole:
        lp.integrality_ = [highspy.HighsVarType.kInteger] * (bins + sizes)
    highs = highspy._core._Highs()  # noqa: SLF001  the public wrapper writes a banner to stdout before it can be silenced
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.passModel(lp)
    return highs
