"""Who gets how much CPU: the one place where demand meets capacity. Arrays in, arrays out.

Separate so that the rule can be read and checked by hand. Rule: a subject's demand is split evenly over those of its app VMs
that serve; each wants at most its own cores; where the app VMs of a cloud VM want more than it has, each gets the same
share of what it wants. What a cloud VM spends on migrations is not counted. No time, no state may be here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray

ROUNDING = 1e-9  # what differs by less than this share differs by rounding only


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Cores at this moment: got by each app VM; asked for and not got in all. Cloud VMs that serve, and are overloaded."""

    served_cores: FloatArray
    demanded_cores: float
    unserved_cores: float
    serving_cloud_vms: int
    overloaded_cloud_vms: int


def share_out(
    demand_cores: FloatArray,
    subject: IntArray,
    serves: BoolArray,
    cores: FloatArray,
    placement: IntArray,
    capacity_cores: FloatArray,
) -> Rates:
    """Shapes: demand (subjects,); subject, serves, cores, placement (app VMs,); capacity (cloud VMs,)."""
    works = serves & (subject != NOWHERE) & (placement != NOWHERE)
    who, where = subject[works], placement[works]
    replicas = np.bincount(who, minlength=len(demand_cores))
    each = demand_cores / np.maximum(replicas, 1)
    wanted = np.minimum(each[who], cores[works])
    asked = np.bincount(where, weights=wanted, minlength=len(capacity_cores))
    over = asked > capacity_cores * (1 + ROUNDING)
    share = np.where(over, capacity_cores / np.where(over, asked, 1.0), 1.0)
    served = np.zeros(len(subject))
    served[works] = wanted * share[where]
    demanded = float(demand_cores.sum())
    unserved = demanded - float(served.sum())
    return Rates(
        served_cores=served,
        demanded_cores=demanded,
        unserved_cores=unserved if unserved > demanded * ROUNDING else 0.0,
        serving_cloud_vms=int(np.count_nonzero(np.bincount(placement[placement != NOWHERE], minlength=1))),
        overloaded_cloud_vms=int(np.count_nonzero(over)),
    )
