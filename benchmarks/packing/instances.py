"""Seeded packing problems as a cluster has them: app VMs of mixed shapes, present cloud VMs fragmented by months of change.

Cores are drawn from usual allocations and used at a skewed share (most app VMs idle), memory is log-normal between 64 MiB and
8 GiB; the present cloud VMs were filled at random to about 60 %. Money is over a horizon of six hours; a move costs what
0.2 s of pause and its bytes would (see docs/objective.md).
"""

from __future__ import annotations

import numpy as np

from autoscaler.packing.problem import Problem

GIB = float(1 << 30)
HORIZON_H = 6.0
# cores, memory, price per hour: compute-optimised, general and memory-optimised sizes as clouds price them in 2026
SIZES = np.array([[2, 4, 0.052], [4, 16, 0.121], [8, 16, 0.192], [16, 64, 0.470]], dtype=np.float64)
MORE = np.array([[4, 8, 0.100], [8, 64, 0.290]], dtype=np.float64)


def problem(items: int, seed: int, sizes: int = 4, load: float = 0.6, rules: bool = True) -> Problem:
    """A problem of `items` app VMs; `load`: how full the present cloud VMs were filled; `rules`: pins and pairs apart too."""
    luck = np.random.default_rng([seed, items])
    table = np.concatenate([SIZES, MORE])[:sizes]
    capacity = table[:, :2] * np.array([0.9, 0.95 * GIB])
    cores = luck.choice([0.5, 1.0, 2.0, 4.0], items, p=[0.4, 0.35, 0.2, 0.05])
    used = cores * luck.beta(1.2, 3.0, items)
    memory = np.clip(luck.lognormal(np.log(0.7), 1.0, items), 0.0625, min(8.0, table[:, 1].max() * 0.9)) * GIB
    demand = np.stack([used, memory], axis=1)
    demand = np.minimum(demand, capacity.max(axis=0))
    present, kinds = _fragmented(demand, capacity, load, luck)
    bins = len(kinds)
    pinned = np.full(items, -1, dtype=np.int64)
    apart = np.zeros((0, 2), dtype=np.int64)
    if rules and items >= 20:
        chosen = luck.choice(items, items // 50 + 1, replace=False)
        pinned[chosen] = present[chosen]
        pairs = luck.integers(0, items, (items // 10, 2))
        apart = pairs[(pairs[:, 0] != pairs[:, 1]) & (present[pairs[:, 0]] != present[pairs[:, 1]])]
    return Problem(
        demand=demand,
        present=present,
        move_cost=1e-4 + 2e-4 * memory / GIB,
        bin_capacity=capacity[kinds],
        bin_price=table[kinds, 2] * HORIZON_H,
        closed=np.zeros(bins, dtype=np.bool_),
        fixed=np.zeros(bins, dtype=np.bool_),
        size_capacity=capacity,
        size_price=table[:, 2] * HORIZON_H * 1.01,
        size_limit=np.full(sizes, items, dtype=np.int64),
        pinned=pinned,
        tenant=np.full(items, -1, dtype=np.int64),
        apart=apart,
    )


def _fragmented(demand: np.ndarray, capacity: np.ndarray, load: float, luck: np.random.Generator) -> tuple:
    """Where each item is, and the size of each present bin: filled in random order, each only up to about `load`."""
    present = np.zeros(len(demand), dtype=np.int64)
    kinds: list[int] = []
    free = np.zeros(2)
    for item in luck.permutation(len(demand)):
        if not kinds or (free < demand[item]).any():
            holds = np.flatnonzero((capacity >= demand[item]).all(axis=1))
            kinds.append(int(luck.choice(holds)))
            free = np.maximum(capacity[kinds[-1]] * luck.uniform(load - 0.2, load + 0.2), demand[item])
        present[item] = len(kinds) - 1
        free = free - demand[item]
    return present, np.array(kinds, dtype=np.int64)
