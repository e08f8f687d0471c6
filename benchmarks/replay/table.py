"""All days, policies and orders of app VMs of the PlanetLab experiment beside CloudSim: how far apart are the figures?

`python -m benchmarks.replay.table --cloudsim CLASSPATH [--shuffles 1,2] [--out FILE] planetlab-*.tar.gz`. CLASSPATH: as for
benchmarks.replay. CloudSim takes files in name order, so an order of app VMs is a folder of numbered files. A row holds both
programs' figures; the last lines printed are the greatest distances. Promised: 1 % of energy, 3 % of migrations and SLATAH.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from autoscaler.cli.loading import load_policy
from autoscaler.replay.experiment import experiment, shuffled
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.replay.__main__ import DRIVER
from benchmarks.result import ROOT, result, write

POLICIES = {
    "thr-mu": ("thr", "mu", "0.8"),
    "thr-mmt": ("thr", "mmt", "0.8"),
    "iqr-mc": ("iqr", "mc", "1.5"),
    "iqr-mmt": ("iqr", "mmt", "1.5"),
    "mad-mmt": ("mad", "mmt", "2.5"),
    "lr-mmt": ("lr", "mmt", "1.2"),
}
PROMISED = {"energy_kwh": 0.01, "migrations": 0.03, "slatah": 0.03}


def unpack(trace: Trace, folder: Path) -> None:
    """One file per app VM, numbered in the trace's order."""
    percent = np.round(np.nan_to_num(trace.cores / trace.allocated_cores * 100.0)).astype(int)
    for row in range(len(trace.subjects)):
        (folder / f"{row:05}").write_text("\n".join(map(str, percent[:, row].tolist())) + "\n")


def rows(trace: Trace, order: int | None, classpath: str) -> Iterator[dict[str, Any]]:
    """One per policy. `order`: the seed of --shuffle, None for name order."""
    trace = trace if order is None else shuffled(trace, order)
    with tempfile.TemporaryDirectory() as folder:
        unpack(trace, Path(folder))
        for policy, arguments in POLICIES.items():
            call = ["java", "-cp", classpath, str(DRIVER), folder, *arguments]
            printed = subprocess.run(call, capture_output=True, text=True, check=True).stdout
            theirs = json.loads(printed.strip().splitlines()[-1])
            score = experiment(trace, load_policy(ROOT / "policies" / "planetlab" / f"{policy}.yaml"), 1).score
            row: dict[str, Any] = {"trace": trace.name, "policy": policy}
            for name in PROMISED:
                row[name], row[f"cloudsim_{name}"] = score[name], theirs[name]
            yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--cloudsim", metavar="CLASSPATH", required=True)
    parser.add_argument("--shuffles", default="")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    orders = [None, *map(int, filter(None, asked.shuffles.split(",")))]
    found: list[dict[str, Any]] = []
    for order in orders:
        for path in asked.traces:
            for row in rows(read_trace(path), order, asked.cloudsim):
                print(json.dumps(row), flush=True)
                found.append(row)
    for name, limit in PROMISED.items():
        far, row = max(((abs(row[name] / row[f"cloudsim_{name}"] - 1), row) for row in found), key=lambda one: one[0])
        Console().print(f"{name}: at most {far:.3%} apart ({row['policy']} on {row['trace']}); promised {limit:.0%}")
    if asked.out:
        write(result("planetlab-table", 1, {"shuffles": asked.shuffles}, found, ("numpy",)), asked.out)


if __name__ == "__main__":
    main()
