"""policies/planetlab/optimal.yaml beside the eight policies of the PlanetLab experiment, and the same days in the honest world.

    python -m benchmarks.planetlab [--traces ../shared/traces] [--shuffles 1,2,3] [--no-honest] [--out FILE]

Each day in each order of app VMs (`--shuffle`) under every policy, in CloudSim's world. Ratios are of that day and order: energy and
migrations to `lr-mmt`, ESV to the least of the six that move anything (npa and dvfs move nothing, violate nothing, and draw
five times the energy of `lr-mmt` and more), unserved demand to `lr-mmt`. `optimal` was tuned on the days marked so, on shuffles 1 and 2.
The honest world (`--world planetlab`) goes through engine, guards and memory; there it is beside `lr-mmt` and `thr-mmt`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.core.policy import Policy
from autoscaler.packing import quick
from autoscaler.replay.experiment import experiment, shuffled
from autoscaler.replay.honest import honest_stage
from autoscaler.replay.loop import replay
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.result import ROOT, result, write

DAYS = ("20110303", "20110306", "20110309", "20110322", "20110325")
TUNED_ON = DAYS[:2]
MOVING = ("thr-mu", "thr-mmt", "iqr-mc", "iqr-mmt", "mad-mmt", "lr-mmt")
STILL = ("npa", "dvfs")
OURS, RIVAL = "optimal", "lr-mmt"
HONEST = (OURS, RIVAL, "thr-mmt")
GOALS = {"energy_ratio": 0.90, "migrations_ratio": 0.30, "esv_ratio": 0.30}
FIGURES = ("energy_kwh", "migrations", "slatah", "pdm", "esv", "unserved_fraction")


def policy(name: str) -> Policy:
    return load_policy(ROOT / "policies" / "planetlab" / f"{name}.yaml")


def cloudsim(trace: Trace, day: str, seed: int) -> list[dict[str, Any]]:
    """One row per policy; that of `optimal` with its ratios."""
    scores = {name: experiment(trace, policy(name), seed).score for name in (*STILL, *MOVING, OURS)}
    mine, rival = scores[OURS], scores[RIVAL]
    ratios = {
        "energy_ratio": mine["energy_kwh"] / rival["energy_kwh"],
        "migrations_ratio": mine["migrations"] / rival["migrations"],
        "esv_ratio": mine["esv"] / min(scores[name]["esv"] for name in MOVING),
        "unserved_ratio": mine["unserved_fraction"] / rival["unserved_fraction"],
    }
    return [_row("cloudsim", day, seed, name, score, ratios if name == OURS else {}) for name, score in scores.items()]


def honest(trace: Trace, day: str, seed: int) -> Iterator[dict[str, Any]]:
    """One row per policy; the ratios are to `lr-mmt`."""
    scores = {name: replay(trace, policy(name), honest_stage(trace, seed), TOOLBOX, seed=seed).score for name in HONEST}
    for name, score in scores.items():
        ratios = {
            f"{key}_ratio": score[f] / scores[RIVAL][f] for key, f in (("energy", "energy_kwh"), ("migrations",) * 2)
        }
        yield _row("planetlab", day, seed, name, score, ratios if name == OURS else {})


def _row(world: str, day: str, seed: int, name: str, score: Any, ratios: dict[str, float]) -> dict[str, Any]:
    known = {figure: score[figure] for figure in FIGURES}
    return {"world": world, "day": day, "tuned": day in TUNED_ON, "shuffle": seed, "policy": name, **known, **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, default=ROOT.parent / "shared" / "traces")
    parser.add_argument("--shuffles", default="1,2,3")
    parser.add_argument("--no-honest", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if quick.HERE:
        quick.warm()
    rows: list[dict[str, Any]] = []
    for day in DAYS:
        trace = read_trace(asked.traces / f"planetlab-{day}.tar.gz")
        for seed in map(int, asked.shuffles.split(",")):
            mixed = shuffled(trace, seed)
            rows += cloudsim(mixed, day, seed)
            if not asked.no_honest:
                rows += honest(mixed, day, seed)
    show(rows)
    if asked.out:
        conditions = {"days": DAYS, "tuned_on": TUNED_ON, "shuffles": asked.shuffles, "goals": GOALS}
        write(result("planetlab", 1, conditions, rows, ("numpy",)), asked.out)


def show(rows: list[dict[str, Any]]) -> None:
    ratios = (*GOALS, "unserved_ratio")
    table = Table("day", "shuffle", *ratios, title="cloudsim: " + ", ".join(f"{k} <= {v}" for k, v in GOALS.items()))
    mine = [row for row in rows if row["policy"] == OURS and row["world"] == "cloudsim"]
    for row in mine:
        day = row["day"] + (" (tuned on)" if row["tuned"] else "")
        table.add_row(day, str(row["shuffle"]), *(f"{row[ratio]:.3f}" for ratio in ratios))
    table.add_row("worst", "", *(f"{max(row[ratio] for row in mine):.3f}" for ratio in ratios))
    Console(width=120).print(table)
    means = Table("world", "policy", *FIGURES, title="means over all days and shuffles")
    for world, name in dict.fromkeys((row["world"], row["policy"]) for row in rows):
        same = [row for row in rows if (row["world"], row["policy"]) == (world, name)]
        means.add_row(world, name, *(f"{np.mean([row[figure] for row in same]):.4g}" for figure in FIGURES))
    Console(width=120).print(means)


if __name__ == "__main__":
    main()
