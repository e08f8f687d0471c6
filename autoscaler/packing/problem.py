"""A packing problem and a packing, as arrays. What is decided: which cloud VMs are kept, which are rented, who sits where.

Separate from everything that solves it, so that the checker and the optimiser share the question and no answer. `bins` are
cloud VMs here, `items` app VMs: the words of the bin-packing literature. Values and their meaning only; no search.

Shapes: n items, b present bins, s sizes, r resources. Money is over one horizon, the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray

ROUNDING = 1e-9  # relative; sums of floats in another order may differ by this much


@dataclass(frozen=True, eq=False)
class Problem:
    """The question. Raises ValueError where shapes disagree or a number is negative.

    demand: (n, r). present: (n,) bin each item is in, NOWHERE for one that has to be placed. move_cost: (n,) of leaving it.
    bin_capacity: (b, r); bin_price: (b,) of keeping it for the horizon (0 saved where it cannot be released).
    closed: (b,) takes no item that is not in it already. fixed: (b,) cannot be released.
    size_capacity: (s, r); size_price: (s,) of renting one more. size_limit: (s,) most that may be rented.
    pinned: (n,) the only bin an item may be in, NOWHERE = any. tenant: (n,) items of two tenants never share a bin,
    NOWHERE = shares with anybody. apart: (p, 2) pairs of items that never share a bin.
    """

    demand: FloatArray
    present: IntArray
    move_cost: FloatArray
    bin_capacity: FloatArray
    bin_price: FloatArray
    closed: BoolArray
    fixed: BoolArray
    size_capacity: FloatArray
    size_price: FloatArray
    size_limit: IntArray
    pinned: IntArray
    tenant: IntArray
    apart: IntArray

    def __post_init__(self) -> None:
        items, bins, sizes = len(self.demand), len(self.bin_capacity), len(self.size_capacity)
        shapes = {
            "present": (self.present, (items,)),
            "move_cost": (self.move_cost, (items,)),
            "bin_price": (self.bin_price, (bins,)),
            "closed": (self.closed, (bins,)),
            "fixed": (self.fixed, (bins,)),
            "size_price": (self.size_price, (sizes,)),
            "size_limit": (self.size_limit, (sizes,)),
            "pinned": (self.pinned, (items,)),
            "tenant": (self.tenant, (items,)),
            "bin_capacity": (self.bin_capacity, (bins, self.demand.shape[1])),
            "size_capacity": (self.size_capacity, (sizes, self.demand.shape[1])),
            "apart": (self.apart, (len(self.apart), 2)),
        }
        for name, (array, shape) in shapes.items():
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, not {shape}")
        for name in ("demand", "move_cost", "bin_capacity", "bin_price", "size_capacity", "size_price", "size_limit"):
            if (getattr(self, name) < 0).any() or not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} must be finite and not negative")

    @property
    def items(self) -> int:
        return len(self.demand)

    @property
    def bins(self) -> int:
        return len(self.bin_capacity)

    @cached_property
    def rivals(self) -> tuple[IntArray, ...]:
        """For each item those it is kept apart from, by a pair of `apart` or by the bin of a pin (tenants: see `tenant`)."""
        both = (
            np.concatenate([self.apart, self.apart[:, ::-1]]) if len(self.apart) else np.zeros((0, 2), dtype=np.int64)
        )
        order = np.argsort(both[:, 0], kind="stable")
        edges = np.searchsorted(both[order, 0], np.arange(self.items + 1))
        return tuple(both[order[edges[item] : edges[item + 1]], 1] for item in range(self.items))

    @cached_property
    def residents(self) -> tuple[IntArray, ...]:
        """For each present bin the items in it, ascending."""
        order = np.argsort(self.present, kind="stable")
        edges = np.searchsorted(self.present[order], np.arange(self.bins + 1))
        return tuple(order[edges[row] : edges[row + 1]] for row in range(self.bins))


@dataclass(frozen=True, eq=False)
class Packing:
    """An answer. place: (n,) bin of each item: below b a present bin, b + j the j-th new one. rented: (m,) their sizes."""

    place: IntArray
    rented: IntArray


def kept(problem: Problem, packing: Packing) -> BoolArray:
    """(b,) present bins that stay: those with an item in them, and those that cannot be released."""
    used = np.zeros(problem.bins, dtype=np.bool_)
    used[packing.place[packing.place < problem.bins]] = True
    return used | problem.fixed


def moved(problem: Problem, packing: Packing) -> BoolArray:
    """(n,) items that leave the bin they are in."""
    return np.asarray((problem.present != NOWHERE) & (packing.place != problem.present))


def objective(problem: Problem, packing: Packing) -> float:
    """What the answer costs over the horizon: bins kept, bins rented, items moved."""
    price = problem.bin_price[kept(problem, packing)].sum() + problem.size_price[packing.rented].sum()
    return float(price + problem.move_cost[moved(problem, packing)].sum())


def capacity(problem: Problem, rented: IntArray) -> FloatArray:
    """(b + m, r) of the present and the rented bins."""
    return np.concatenate([problem.bin_capacity, problem.size_capacity[rented]])
