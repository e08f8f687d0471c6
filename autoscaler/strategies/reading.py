"""How strategies read a snapshot: loads over a window of samples, and what nobody is working on.

Separate so that every strategy means the same by "load", "missing" and "at rest". No wish is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from autoscaler.core.snapshot import CPU, NOWHERE, BoolArray, FloatArray, IntArray, Snapshot
from autoscaler.strategies.parameters import Statistic


def seen(snapshot: Snapshot, metric: str, samples: int, statistic: Statistic = "mean") -> FloatArray:
    """(app VMs,) the statistic of those of the newest `samples` that came; NaN where none did."""
    if statistic == "mean":
        return snapshot.recent(metric, samples)
    return np.asarray(np.fmax.reduce(snapshot.usage[metric][:, -samples:], axis=1), dtype=np.float64)


def believed(snapshot: Snapshot, metric: str, samples: int, statistic: Statistic = "mean") -> FloatArray:
    """(app VMs,) like `seen`; where none came, the newest known sample, or the allocation where there never was one."""
    value = seen(snapshot, metric, samples, statistic)
    known = snapshot.cpu_in_use_cores if metric == CPU else snapshot.memory_in_use_bytes
    return np.where(np.isnan(value), known, value)


def measured(snapshot: Snapshot, metric: str) -> BoolArray:
    """(app VMs,) whether any sample of `metric` is in the window at all."""
    return np.asarray(~np.isnan(snapshot.usage[metric]).all(axis=1), dtype=np.bool_)


def by_service(snapshot: Snapshot, values: FloatArray) -> FloatArray:
    """(services,) `values` (one per app VM) summed over the running replicas of each service."""
    service = np.where(snapshot.placement != NOWHERE, snapshot.inventory.app_service, NOWHERE)
    counted = service != NOWHERE
    sums = np.bincount(service[counted], weights=values[counted], minlength=len(snapshot.services))
    return np.asarray(sums, dtype=np.float64)


def app_vms_at_rest(snapshot: Snapshot) -> BoolArray:
    """(app VMs,) running, and no plan is working on them."""
    resting: BoolArray = np.not_equal(snapshot.placement, NOWHERE)
    resting[_rows(snapshot.inventory.app_row, snapshot.in_flight)] = False
    return resting


def cloud_vms_worked_on(snapshot: Snapshot) -> BoolArray:
    """(cloud VMs,) those that a plan is about to create, cordon or release."""
    busy = np.zeros(len(snapshot.cloud_vms), dtype=np.bool_)
    busy[_rows(snapshot.inventory.cloud_row, snapshot.in_flight)] = True
    return busy


def cloud_vms_at_rest(snapshot: Snapshot) -> BoolArray:
    """(cloud VMs,) active, and no plan is working on them or on an app VM that is on them or on its way there."""
    resting = np.logical_and(snapshot.inventory.cloud_active, ~cloud_vms_worked_on(snapshot))
    resting[_rows(snapshot.inventory.cloud_row, snapshot.reserved_bytes)] = False
    resting[snapshot.placement[~app_vms_at_rest(snapshot) & (snapshot.placement != NOWHERE)]] = False
    return resting


def _rows(index: Mapping[str, int], ids: Iterable[str]) -> IntArray:
    return np.array([index[id_] for id_ in ids if id_ in index], dtype=np.int64)
