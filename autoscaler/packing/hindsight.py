"""What a stretch of time would have cost whoever had known its load beforehand: a lower bound, nobody could have paid less.

Separate from bound.py because the question is another one: no cluster to begin with, only what had to be served, moment by
moment. Whole cloud VMs are rented, each for as long as it is needed; moving and starting take no time and cost nothing.
Arrays in, money out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.packing.bound import integral
from autoscaler.packing.relaxation import Relaxation

HOUR_S = 3600.0
BOXES = (
    200  # subproblems per moment: for a handful of sizes nearly always enough for the optimum, and a bound in any case
)


@dataclass(frozen=True, eq=False)
class Sizes:
    """gives: (s, 2) cores and bytes of each size; price: (s,) per hour."""

    gives: FloatArray
    price: FloatArray


def least_cost(sizes: Sizes, need: FloatArray, span_s: FloatArray) -> float:
    """`need`: (t, 2) cores and bytes to be served at once, each for `span_s` (t,). Infinite where no size can give it."""
    moments, which = np.unique(need, axis=0, return_inverse=True)
    rates = np.array([_rate(sizes, moment) for moment in moments])
    return float((rates[which.ravel()] * span_s).sum() / HOUR_S)


def _rate(sizes: Sizes, need: FloatArray) -> float:
    """The least price per hour at which so much can be rented."""
    if not (need > 0).any():
        return 0.0
    if ((need > 0) & (sizes.gives.max(axis=0, initial=0.0) <= 0)).any():
        return np.inf
    alone = np.where(sizes.gives > 0, need / np.maximum(sizes.gives, 1e-300), 0.0)
    relaxation = Relaxation(
        resource=np.arange(2),
        at_least=np.zeros(2),
        need=need,
        bin_gives=np.zeros((0, 2)),
        size_gives=sizes.gives,
        size_price=sizes.price,
        size_most=np.ceil(alone.max(axis=1)).astype(np.int64),
        keep_cost=np.zeros(0),
        leave_cost=np.zeros(0),
    )
    return integral(relaxation, BOXES).value
