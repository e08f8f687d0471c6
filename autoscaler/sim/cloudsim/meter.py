"""The experiment's power meter and adding up: arrays in, arrays out.

Separate because run and ledger must read the same digits. No time may be here.
"""

from __future__ import annotations

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.packing.places import Hosts
from autoscaler.sim.cloudsim import facts


def add_up(at: IntArray, values: FloatArray, count: int) -> FloatArray:
    """(count,) `values` added up where `at` says, one after the other: the order is part of the result."""
    return np.asarray(np.bincount(at, weights=values, minlength=count), dtype=np.float64)


def loads_of(hosts: Hosts, used: FloatArray) -> FloatArray:
    """(.., hosts) as the power meter shows it."""
    load = used / hosts.capacity
    return np.where((load > 1) & (load < facts.METER_FORGIVES), 1.0, load)
