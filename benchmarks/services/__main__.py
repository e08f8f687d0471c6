"""What one big service costs under `optimal` and under target tracking, beside a bound that nobody could undercut.

    python -m benchmarks.services [--trace azure] [--traces ../shared/traces] [--seed 1] [--out FILE]

Each trace has a first part, on which the one number of each policy that trades cost for unserved demand is chosen (`optimal`:
the price of unserved demand, target tracking: cpu_target; the cheapest of NUMBERS that leaves at most 0.1 % unserved, else the one
that leaves least), and a later part that is shown. Both begin on a cluster for what is asked for at first, with up to two weeks of the trace before them as past
to learn forecasts from. The bound (`clairvoyant`) sees the future, moves for free and rents fractions of cloud VMs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoscaler.cli.loading import load_policy
from autoscaler.core.policy import Policy
from autoscaler.replay import baselines
from autoscaler.replay.worlds import SERVICE_LOAD, Stage, stage
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.closed_loop import drive, past_of
from benchmarks.result import result, write

HERE = Path(__file__).parent
DAY_S = 86400.0
NUMBERS = {"optimal": (0.5, 4.0), "composite": (0.9, 0.94, 0.97)}  # of each strategy
UNSERVED_MOST = 1e-3
GOAL = 1.15
REPLICAS_PER_CLOUD_VM = 8  # of one core each, on the eight cores that the world begins with
FIGURES = ("cost", "migrations", "app_vm_starts", "app_vm_stops", "cloud_vm_starts", "cloud_vm_releases")


@dataclass(frozen=True, slots=True)
class Course:
    """Which days of a trace are for choosing and which are shown (first, end), how often is decided, and the load's scale."""

    file: str
    tuned: tuple[float, float]
    shown: tuple[float, float]
    every_s: float
    peak_cores: float


COURSES = {
    "worldcup": Course("worldcup98-to-0623.csv.gz", (38, 38.5), (47, 48), 120.0, 256.0),  # 7 June; 16 June
    "azure": Course("azure2017-sum-20d.csv", (9, 10), (15, 17), 120.0, 64.0),
    "google": Course("google2011-sum-20d.csv", (9, 10), (15, 17), 120.0, 64.0),
}


def numbered(policy: Policy, number: float, every_s: float) -> Policy:
    """The policy with its one number, and its cadence."""
    told = dict(policy.strategy.parameters)
    if policy.strategy.name == "optimal":
        told["unserved_price_per_core_hour"] = number
    else:
        told["replicas"] = {**told["replicas"], "cpu_target_fraction": number}
    return replace(policy, strategy=replace(policy.strategy, parameters=told), every_s=every_s)


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


def measure(trace: Trace, days: tuple[float, float], policy: Policy, course: Course, seed: int) -> dict[str, Any]:
    """One run, with its cost as a multiple of the bound."""
    first, last = (round(day * DAY_S / trace.step_s) for day in days)
    part = replace(trace.in_cores(course.peak_cores)).between(first, min(last, trace.steps))
    scene = begun(stage(part, None, seed), float(part.cores[0, 0]))
    began = time.process_time()
    score, _ = drive(part, policy, scene, past_of(trace, first, course.peak_cores))
    bound = baselines.clairvoyant(part, scene, seed).score["cost"]
    row = {"policy": policy.name, "unserved_fraction": score.demand_unserved_fraction}
    row |= {name: getattr(score, name) for name in FIGURES}
    return row | {"bound": bound, "ratio": score.cost / bound, "cpu_s": time.process_time() - began}


def rows(name: str, traces: Path, seed: int) -> Iterator[dict[str, Any]]:
    """First all that was tried on the days for choosing, then what is shown."""
    course = COURSES[name]
    trace = read_trace(traces / course.file)
    chosen = []
    for policy in (load_policy(HERE / "optimal.yaml"), load_policy(HERE / "tracking.yaml")):
        tried = []
        for number in NUMBERS[policy.strategy.name]:
            row = measure(trace, course.tuned, numbered(policy, number, course.every_s), course, seed)
            tried.append((row["unserved_fraction"] > UNSERVED_MOST, row["cost"], row["unserved_fraction"], number))
            yield {"trace": name, "part": "tuned", "number": number, **row}
        served = [(cost, number) for over, cost, _, number in tried if not over]
        number = min(served)[1] if served else min((unserved, number) for _, _, unserved, number in tried)[1]
        chosen.append((numbered(policy, number, course.every_s), number))
    chosen.insert(1, (without_forecast(chosen[0][0]), chosen[0][1]))
    for policy, number in chosen:
        yield {"trace": name, "part": "shown", "number": number, **measure(trace, course.shown, policy, course, seed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", choices=(*COURSES, "all"), default="all")
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    courses = {name: [c.tuned, c.shown, c.every_s, c.peak_cores] for name, c in COURSES.items()}
    conditions = {"numbers": NUMBERS, "unserved_most": UNSERVED_MOST, "goal_ratio": GOAL, "courses": courses}
    found = []
    for name in COURSES if asked.trace == "all" else (asked.trace,):
        for row in rows(name, asked.traces, asked.seed):
            found.append(row)
            print(
                f"{name:<10}{row['part']:<7}{row['policy']:<26}{row['number']:.2f}  {row['ratio']:.3f} of the bound, unserved "
                f"{row['unserved_fraction']:.4%}, {row['migrations']:.0f} migrations, {row['cpu_s']:.0f} s",
                flush=True,
            )
            if asked.out is not None:  # after each, as all together take long
                write(
                    result("services", asked.seed, conditions, found, ("numpy", "scikit-learn", "highspy")), asked.out
                )


if __name__ == "__main__":
    main()
