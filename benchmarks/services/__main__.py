"""What one big service costs under `optimal` and under target tracking, beside a bound that nobody could undercut.

    python -m benchmarks.services [--trace azure] [--traces ../shared/traces] [--seed 1] [--out FILE]

Of each trace two days are for choosing the one number of each policy that trades cost for unserved demand (`optimal`: the price of
unserved demand, target tracking: cpu_target; the cheapest of NUMBERS that leaves at most 0.1 % unserved, else the one that leaves
least), and the two days after them are shown. Both begin on a cluster for what is asked for at first, with up to two weeks of the
trace before them as past to learn forecasts from. The bound (`clairvoyant`) sees the future, moves for free and rents fractions of
cloud VMs. `following` is between: it rents fractions at the bound's prices, too, but of what was asked for LEAD_S ago, the most of a while, with
a margin; both are chosen in hindsight, on the days that are shown.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autoscaler.cli.loading import load_policy
from autoscaler.core.policy import Policy
from autoscaler.replay import baselines
from autoscaler.replay.worlds import SERVICE_LOAD, Stage, stage
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.closed_loop import drive, past_of
from benchmarks.result import result, write

HERE = Path(__file__).parent
DAY_S = 86400.0
NUMBERS = {  # of each strategy, as many for one as for the other
    "optimal": (0.08, 0.12, 0.17, 0.25),
    "composite": (0.91, 0.93, 0.95, 0.97),
}
UNSERVED_MOST = 1e-3
GOAL = 1.15
REPLICAS_PER_CLOUD_VM = 8  # of one core each, on the eight cores that the world begins with
GRID_S = 30.0
LEAD_S = 120.0  # a decision after every 30 s of demand, and 90 s until a cloud VM is there
HELD_S = (0.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
MARGINS = np.arange(0.0, 1.0, 0.005)
FIGURES = ("cost", "migrations", "app_vm_starts", "app_vm_stops", "cloud_vm_starts", "cloud_vm_releases")


@dataclass(frozen=True, slots=True)
class Course:
    """Which days of a trace are for choosing and which are shown (first, end), and the load's scale."""

    file: str
    tuned: tuple[float, float]
    shown: tuple[float, float]
    peak_cores: float


COURSES = {
    "worldcup": Course("worldcup98-to-0623.csv.gz", (47, 49), (49, 51), 256.0),  # 16 June; 18 June
    "azure": Course("azure2017-sum-20d.csv", (15, 17), (17, 19), 64.0),
    "google": Course("google2011-sum-20d.csv", (15, 17), (17, 19), 64.0),
}


def numbered(policy: Policy, number: float) -> Policy:
    """The policy with its one number."""
    told = dict(policy.strategy.parameters)
    if policy.strategy.name == "optimal":
        told["unserved_price_per_core_hour"] = number
    else:
        told["replicas"] = {**told["replicas"], "cpu_target_fraction": number}
    return replace(policy, strategy=replace(policy.strategy, parameters=told))


def without_forecast(policy: Policy) -> Policy:
    spec = replace(policy.strategy, parameters={**policy.strategy.parameters, "forecast": "none"})
    return replace(policy, name=f"{policy.name} without forecast", strategy=spec)


def begun(scene: Stage, cores: float) -> Stage:
    """With as many replicas, and cloud VMs under them, as suffice for what is asked for at first: nobody has to shrink to begin
    with, which would outweigh all that comes later."""
    (service,) = scene.scenario.services
    replicas = math.ceil(cores / SERVICE_LOAD)
    clouds = scene.scenario.cloud_vms[: math.ceil(replicas / REPLICAS_PER_CLOUD_VM)]
    fewer = replace(service, replicas=replicas, on=tuple(cloud.id for cloud in clouds))
    return replace(scene, scenario=replace(scene.scenario, services=(fewer,), cloud_vms=clouds))


def days_of(trace: Trace, days: tuple[float, float], course: Course) -> Trace:
    first, last = (round(day * DAY_S / trace.step_s) for day in days)
    return trace.in_cores(course.peak_cores).between(first, min(last, trace.steps))


def measure(trace: Trace, days: tuple[float, float], policy: Policy, course: Course, seed: int) -> dict[str, Any]:
    """One run, with its cost as a multiple of the bound."""
    part, first = days_of(trace, days, course), round(days[0] * DAY_S / trace.step_s)
    scene = begun(stage(part, None, seed), float(part.cores[0, 0]))
    began = time.process_time()
    score, _ = drive(part, policy, scene, past_of(trace, first, course.peak_cores))
    bound = baselines.clairvoyant(part, scene, seed).score["cost"]
    row = {"policy": policy.name, "unserved_fraction": score.demand_unserved_fraction}
    row |= {name: getattr(score, name) for name in FIGURES}
    return row | {"bound": bound, "ratio": score.cost / bound, "cpu_s": time.process_time() - began}


def following(trace: Trace, days: tuple[float, float], course: Course, seed: int) -> dict[str, Any]:
    """The cheapest that keeps to UNSERVED_MOST by a margin on the most of a while that was over LEAD_S ago."""
    part = days_of(trace, days, course)
    asked = np.repeat(part.cores[:, 0], round(part.step_s / GRID_S))
    found = []
    for held_s in HELD_S:
        known = np.concatenate([np.full(round((LEAD_S + held_s) / GRID_S), asked[0]), asked])[: -round(LEAD_S / GRID_S)]
        most = sliding_window_view(known, round(held_s / GRID_S) + 1).max(axis=1)
        for margin in MARGINS:
            unserved = float(np.maximum(asked - most * (1 + margin), 0.0).sum() / asked.sum())
            if unserved <= UNSERVED_MOST:
                rented = replace(part, cores=(most * (1 + margin))[:, None], step_s=GRID_S)
                cost = baselines.clairvoyant(rented, stage(rented, None, seed), seed).score["cost"]
                found.append({"cost": cost, "unserved_fraction": unserved, "number": float(margin), "held_s": held_s})
                break
    best = min(found, key=lambda row: row["cost"])
    bound = baselines.clairvoyant(part, stage(part, None, seed), seed).score["cost"]
    return {"policy": "following", **best, "bound": bound, "ratio": best["cost"] / bound}


def rows(name: str, traces: Path, seed: int) -> Iterator[dict[str, Any]]:
    """First all that was tried on the days for choosing, then what is shown."""
    course = COURSES[name]
    trace = read_trace(traces / course.file)
    chosen = []
    for policy in (load_policy(HERE / "optimal.yaml"), load_policy(HERE / "tracking.yaml")):
        tried = []
        for number in NUMBERS[policy.strategy.name]:
            row = measure(trace, course.tuned, numbered(policy, number), course, seed)
            tried.append((row["unserved_fraction"] > UNSERVED_MOST, row["cost"], row["unserved_fraction"], number))
            yield {"trace": name, "part": "tuned", "number": number, **row}
        served = [(cost, number) for over, cost, _, number in tried if not over]
        number = min(served)[1] if served else min((unserved, number) for _, _, unserved, number in tried)[1]
        chosen.append((numbered(policy, number), number))
    chosen.insert(1, (without_forecast(chosen[0][0]), chosen[0][1]))
    for policy, number in chosen:
        yield {"trace": name, "part": "shown", "number": number, **measure(trace, course.shown, policy, course, seed)}
    yield {"trace": name, "part": "shown", **following(trace, course.shown, course, seed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", choices=(*COURSES, "all"), default="all")
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    courses = {name: [c.tuned, c.shown, c.peak_cores] for name, c in COURSES.items()}
    conditions = {"numbers": NUMBERS, "unserved_most": UNSERVED_MOST, "goal_ratio": GOAL, "courses": courses}
    found = []
    for name in COURSES if asked.trace == "all" else (asked.trace,):
        for row in rows(name, asked.traces, asked.seed):
            found.append(row)
            print(
                f"{name:<10}{row['part']:<7}{row['policy']:<26}{row['number']:.3g}  {row['ratio']:.3f} of the bound, unserved "
                f"{row['unserved_fraction']:.4%}, {row.get('migrations', 0):.0f} migrations, {row.get('cpu_s', 0):.0f} s",
                flush=True,
            )
            if asked.out is not None:  # after each, as all together take long
                write(
                    result("services", asked.seed, conditions, found, ("numpy", "scikit-learn", "highspy")), asked.out
                )


if __name__ == "__main__":
    main()
