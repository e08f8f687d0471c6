"""How well supply follows demand: the elasticity metrics of SPEC RG, over arrays.

Sources: SPEC-RG-2016-01 "Ready for Rain?"; Ilyushkin et al., ACM ToMPECS 2018. Over-provisioning is normalised by demand, as in
the former (the latter divides by supply). Separate because they say nothing of money, energy or app VMs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import FloatArray


@dataclass(frozen=True, slots=True)
class Elasticity:
    """All fractions. accuracy_*: of the cluster's size; theta_*: of demand, where there is any; tau_*: of time;
    instability: of time, supply rising while demand does not, or falling less than demand."""

    accuracy_under: float
    accuracy_over: float
    theta_under: float
    theta_over: float
    tau_under: float
    tau_over: float
    instability: float


def elasticity(demand: FloatArray, supply: FloatArray, size: float) -> Elasticity:
    """demand, supply: (steps,) of equal length in time, in the same unit as `size`, that of the cluster."""
    if len(demand) != len(supply) or not len(demand) or size <= 0:
        raise ValueError(f"{len(demand)} steps of demand, {len(supply)} of supply, size {size}")
    under, over = np.maximum(demand - supply, 0.0), np.maximum(supply - demand, 0.0)
    asked = demand > 0
    steps = len(demand)
    relative = np.where(asked, demand, 1.0)
    restless = np.minimum(np.maximum(np.sign(np.diff(supply)) - np.sign(np.diff(demand)), 0.0), 1.0)
    return Elasticity(
        accuracy_under=float(under.sum() / (steps * size)),
        accuracy_over=float(over.sum() / (steps * size)),
        theta_under=float((under / relative)[asked].sum() / steps),
        theta_over=float((over / relative)[asked].sum() / steps),
        tau_under=float((under > 0).sum() / steps),
        tau_over=float((over > 0).sum() / steps),
        instability=float(restless.sum() / (steps - 1)) if steps > 1 else 0.0,
    )
