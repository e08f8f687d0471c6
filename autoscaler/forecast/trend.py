"""The near future of a cluster's load as the straight line through its recent past: what conditions call `forecast`.

Separate from strategies because a policy's conditions ask for it whatever the strategy is. The line is a least-squares fit to
what all running app VMs used in each observation of the window; it is followed for half a window more, which is a quarter of an
hour with the defaults. App VMs that were stopped took their past with them: after a scale in the forecast is too high
rather than too low. No clock: a window's observations are taken to be equally far apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autoscaler.core.snapshot import CPU, MEMORY, FloatArray, Snapshot

LEAST_OBSERVATIONS = 5  # fewer make no line: nothing is foretold


def expected_usage(snapshot: Snapshot) -> Mapping[str, float]:
    """`cpu` and `memory`: shares of all cores and all memory in half a window from now; left out where too little is known."""
    inventory = snapshot.inventory
    offered = {"cpu": (CPU, inventory.cloud_cores), "memory": (MEMORY, inventory.cloud_memory_bytes)}
    foretold: dict[str, float] = {}
    for name, (metric, capacity) in offered.items():
        whole, past = float(capacity.sum()), totals(snapshot, metric)
        if whole > 0 and len(past) >= LEAST_OBSERVATIONS:
            foretold[name] = extended(past, snapshot.usage[metric].shape[1] / 2) / whole
    return foretold


def totals(snapshot: Snapshot, metric: str) -> FloatArray:
    """(observations,) what all placed app VMs used together, oldest first, from the first observation with any sample on.

    A lost sample counts as the one before it; before an app VM's first sample it used nothing.
    """
    window = snapshot.usage[metric][snapshot.placement >= 0]
    came = ~np.isnan(window)
    seen = np.flatnonzero(came.any(axis=0))
    if not len(seen):
        return np.zeros(0)
    newest = np.maximum.accumulate(np.where(came, np.arange(window.shape[1]), -1), axis=1)
    known = np.take_along_axis(np.nan_to_num(window), np.maximum(newest, 0), axis=1)
    return np.asarray(np.where(newest >= 0, known, 0.0).sum(axis=0)[seen[0] :], dtype=np.float64)


def extended(past: FloatArray, ahead: float) -> float:
    """The value of the line through `past` (equally far apart), `ahead` observations after the last; never below 0."""
    at = np.arange(len(past), dtype=np.float64)
    slope = float(np.dot(at - at.mean(), past - past.mean()) / np.dot(at - at.mean(), at - at.mean()))
    return max(0.0, float(past.mean()) + slope * (float(at[-1]) + ahead - float(at.mean())))
