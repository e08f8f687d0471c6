"""Simulated days under each ready policy that acts: what it cost, what was not served, what was moved, beside doing nothing (`hold`).

`python -m benchmarks.day [--policies balanced,optimal] [--ticks 1440] [--world example] [--seeds 1,2,3,4,5] [--out FILE]`. Each
row is one run of the controller as `flexcapsule run --pace max` makes it, on the same world with the same demand; `saved_fraction` is against `hold` with the same
seed. The table shows means over the seeds: one seed's bill differs from the next one's by several per cent under the same
policy. The world is small and made by us: it shows that a policy does what it says, not what you would save.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from autoscaler.cli import assembly
from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.cli.summary import summary
from autoscaler.config import read_world, ready_policies
from autoscaler.core.engine import Engine
from autoscaler.core.policy import Mode
from benchmarks.result import result, write

CONTROL = "hold"
FIGURES = ("cost", "demand_unserved_fraction", "migrations", "downtime_s")


def measure(name: str, world: str, seed: int, ticks: int) -> dict[str, Any]:
    """One row: a day under the ready policy `name`."""
    policy = load_policy(ready_policies()[name])
    scenario = replace(read_world(world), seed=seed)
    with assembly.assemble(Engine(TOOLBOX), policy, scenario, ticks=ticks) as controller:
        controller.run()
        document = summary(controller)
    actions = sum(document["actions"].values())
    return {"policy": name, "seed": seed, **{figure: document[figure] for figure in FIGURES}, "actions": actions}


def rows(world: str, seeds: list[int], ticks: int, policies: list[str] | None = None) -> Iterator[dict[str, Any]]:
    acting = policies or [name for name, path in ready_policies().items() if load_policy(path).mode is Mode.LIVE]
    for seed in seeds:
        control = measure(CONTROL, world, seed, ticks)
        for name in acting:
            row = control if name == CONTROL else measure(name, world, seed, ticks)
            yield {**row, "saved_fraction": round(1.0 - row["cost"] / control["cost"], 6) + 0.0}


def means(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row per policy: the mean of each figure over the seeds, and the cheapest and dearest seed's cost."""
    for name in dict.fromkeys(row["policy"] for row in found):
        mine = [row for row in found if row["policy"] == name]
        figures = (*FIGURES, "actions", "saved_fraction")
        costs = [row["cost"] for row in mine]
        yield {
            "policy": name,
            "costs": f"{min(costs):.2f} to {max(costs):.2f}",
            **{figure: fmean(row[figure] for row in mine) for figure in figures},
        }


def show(found: list[dict[str, Any]]) -> None:
    table = Table("policy", "cost", "by seed", "saved", "unserved", "migrations", "downtime", "actions")
    for row in means(found):
        table.add_row(
            row["policy"],
            f"{row['cost']:.2f}",
            row["costs"],
            f"{100 * row['saved_fraction']:.1f} %",
            f"{100 * row['demand_unserved_fraction']:.2f} %",
            f"{row['migrations']:.0f}",
            f"{row['downtime_s']:.1f} s",
            f"{row['actions']:.0f}",
        )
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    parser.add_argument("--ticks", type=int, default=1440)
    parser.add_argument("--world", default="example")
    parser.add_argument("--policies", default="", help="comma-separated; empty: all that act")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="comma-separated")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    policies = [name for name in asked.policies.split(",") if name]
    found = list(rows(asked.world, [int(seed) for seed in asked.seeds.split(",")], asked.ticks, policies))
    show(found)
    if asked.out:
        write(result("day", 0, {"ticks": asked.ticks, "world": asked.world, "tick_s": 60.0}, found), asked.out)


if __name__ == "__main__":
    main()
