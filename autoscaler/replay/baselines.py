"""What replays are measured against: leaving everything at peak size, and what nobody could undercut.

Separate from replays of policies because the second is a bound, not a run: it sees the future, moves for free, and rents
fractions of cloud VMs. No engine is needed for it.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from autoscaler.core.model import CloudVMSize
from autoscaler.core.policy import Policy, StrategySpec
from autoscaler.core.snapshot import FloatArray
from autoscaler.replay.outcome import Outcome
from autoscaler.replay.worlds import Stage
from autoscaler.sim.traces import Trace

HOLD = "hold"
BOUND = "clairvoyant"
TINY = 1e-12


def hold_policy(like: Policy) -> Policy:
    """Nothing changes; at the cadence of the policy it is compared with."""
    return Policy(HOLD, StrategySpec(HOLD), every_s=like.every_s)


def clairvoyant(trace: Trace, stage: Stage, seed: int) -> Outcome:
    """The least that serving all of demand can cost: a lower bound, by the dual of the fractional rental problem."""
    scenario, demand = stage.scenario, stage.demand
    times = trace.start_at + np.arange(trace.steps) * trace.step_s
    asked = np.array([demand.at(float(at)) for at in times])
    row_of = {subject: row for row, subject in enumerate(demand.subjects)}
    memory = np.full(trace.steps, float(sum(app_vm.memory_bytes for app_vm in scenario.app_vms)))
    for service in scenario.services:
        cores = asked[:, row_of[service.id]] if service.id in row_of else np.zeros(trace.steps)
        memory += np.maximum(np.ceil(cores / service.cores), service.min_replicas) * service.memory_bytes
    prices = vertices(scenario.catalogue)
    rate = np.max(np.column_stack((asked.sum(axis=1), memory)) @ prices.T, axis=1)
    cost = float(rate.sum()) * trace.step_s / 3600.0
    return Outcome(BOUND, trace.name, seed, {"cost": cost, "unserved_fraction": 0.0})


def vertices(catalogue: tuple[CloudVMSize, ...]) -> FloatArray:
    """(v, 2) corner prices of a core and a byte per hour at which no size is worth more than it costs.

    max over corners of (cores x price + memory x price) is the value of: rent fractions of sizes for the least money so that
    cores and memory suffice (linear programming duality).
    """
    offers = np.array([[size.cores, size.memory_bytes] for size in catalogue], dtype=np.float64)
    price = np.array([size.price_per_hour for size in catalogue], dtype=np.float64)
    unit = offers.max(axis=0)
    scaled = offers / unit
    corners = [np.array([(price / scaled[:, 0]).min(), 0.0]), np.array([0.0, (price / scaled[:, 1]).min()])]
    for first, second in combinations(range(len(price)), 2):
        pair = scaled[[first, second]]
        if abs(np.linalg.det(pair)) < TINY:
            continue
        corner = np.linalg.solve(pair, price[[first, second]])
        if (corner >= -TINY).all() and (scaled @ corner <= price * (1 + 1e-9)).all():
            corners.append(np.maximum(corner, 0.0))
    return np.asarray(np.array(corners) / unit, dtype=np.float64)
