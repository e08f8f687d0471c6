"""A month of 400 business app VMs (Bitbrains) under each kind of policy: cost, unserved demand, and who was moved how often.

    python -m benchmarks.months [--days 30] [--first 0] [--policies hold,cheapest] [--seed 1] [--out FILE]

CPU and memory as recorded, decided every five minutes. The catalogue has six sizes of two families (4 or 8 GiB a core) at prices
like those that a big cloud lists. All begin as clouds are used today: every app VM alone on the cheapest cloud VM that holds its
own peak, which is what `hold` pays all month. The bound (`clairvoyant`) sees the future, moves for free and rents fractions of
cloud VMs, for the memory that is allocated and the CPU that is asked for at each moment.
`moved_most`: migrations of the app VM that was moved most, in all and in any 24 h; `allowed`: what the policy's bound on that is, if it has one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.cli.loading import load_policy
from autoscaler.config import ready_policies
from autoscaler.core.migration import HANDOVER_S
from autoscaler.core.model import CloudVMSize
from autoscaler.core.policy import Policy
from autoscaler.replay import baselines
from autoscaler.replay.worlds import Stage, stage
from autoscaler.sim.scenario import GIB, Scenario, SimulatedAppVM, SimulatedCloudVM
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.closed_loop import drive
from benchmarks.result import result, write

HERE = Path(__file__).parent
TRACE = "bitbrains-rnd-2013-08.parquet"
EVERY_S, DAY_S = 300.0, 86400.0
GOAL, UNSERVED_MOST = 1.15, 1e-3
# per hour, as general-purpose and memory-optimised cloud VMs were listed in 2025 (0.0504 and 0.0662 a core)
CATALOGUE = tuple(
    CloudVMSize(name, float(cores), gib * GIB, price)
    for name, cores, gib, price in (
        ("general-4", 4, 16, 0.2016),
        ("general-16", 16, 64, 0.8064),
        ("memory-2", 2, 16, 0.1323),
        ("memory-16", 16, 128, 1.0584),
        ("memory-64", 64, 512, 4.2336),
        ("memory-96", 96, 768, 6.3504),
    )
)


def alone(trace: Trace, seed: int) -> Stage:
    """Each app VM by itself on the cheapest size that holds its peak and its memory."""
    peaks = np.nanmax(np.nan_to_num(trace.cores), axis=0)
    clouds, apps = list[SimulatedCloudVM](), list[SimulatedAppVM]()
    for row, subject in enumerate(trace.subjects):
        cores, memory = float(peaks[row]), int(trace.allocated_bytes[row])
        holds = [size for size in CATALOGUE if size.cores >= cores and size.memory_bytes >= memory]
        size = min(holds, key=lambda size: size.price_per_hour)
        clouds.append(SimulatedCloudVM(f"own-{row}", size.name))
        apps.append(SimulatedAppVM(subject, float(trace.allocated_cores[row]), memory, on=f"own-{row}"))
    return stage(trace, Scenario(catalogue=CATALOGUE, cloud_vms=tuple(clouds), app_vms=tuple(apps)), seed)


def measure(trace: Trace, policy: Policy, scene: Stage, bound: float, seed: int) -> dict[str, Any]:
    """One month under `policy`."""
    begun = time.process_time()
    score, moves = drive(trace, policy, scene)
    budget_s = policy.limits.downtime_budget_s
    return {
        "policy": policy.name,
        "seed": seed,
        "cost": score.cost,
        "ratio": score.cost / bound,
        "unserved_fraction": score.demand_unserved_fraction,
        "migrations": score.migrations,
        "moved_most": moves.most(float("inf")),
        "moved_most_in_24_h": moves.most(DAY_S),
        "allowed_in_24_h": None if budget_s is None else round(budget_s / HANDOVER_S),
        "downtime_s": score.downtime_s,
        "longest_downtime_s": score.longest_downtime_s,
        "cpu_s": time.process_time() - begun,
    }


def named(name: str) -> Policy:
    """A ready policy, or one beside this module; at this trace's cadence."""
    path = HERE / f"{name}.yaml"
    return replace(load_policy(path if path.exists() else ready_policies()[name]), every_s=EVERY_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--first", type=float, default=0.0, help="day")
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--policies", default="hold,threshold,balanced,calm,optimal,cheapest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    whole = read_trace(asked.traces / TRACE)
    first, last = (round(day * DAY_S / whole.step_s) for day in (asked.first, asked.first + asked.days))
    trace = whole.between(first, min(last, whole.steps))
    scene = alone(trace, asked.seed)
    bound = baselines.clairvoyant(trace, scene, asked.seed).score["cost"]
    print(f"bound: {bound:.2f}", flush=True)
    conditions = {
        "days": asked.days,
        "every_s": EVERY_S,
        "goal_ratio": GOAL,
        "unserved_most": UNSERVED_MOST,
        "bound": bound,
    }
    conditions |= {"catalogue": [[s.name, s.cores, s.memory_bytes, s.price_per_hour] for s in CATALOGUE]}
    found = []
    for name in asked.policies.split(","):
        row = measure(trace, named(name), scene, bound, asked.seed)
        found.append(row)
        print(
            f"{name:<12}{row['cost']:>11.2f}  {row['ratio']:.3f} of the bound, unserved {row['unserved_fraction']:.4%}, "
            f"{row['migrations']} migrations, of one at most {row['moved_most_in_24_h']} in 24 h and {row['moved_most']} in all "
            f"(allowed {row['allowed_in_24_h']}), paused {row['longest_downtime_s']:.1f} s in all, {row['cpu_s']:.0f} s",
            flush=True,
        )
        if asked.out is not None:  # after each, as all together take an hour
            write(result("months", asked.seed, conditions, found, ("numpy", "highspy")), asked.out)


if __name__ == "__main__":
    main()
