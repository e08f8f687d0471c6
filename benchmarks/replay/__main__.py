"""How long replays take: the PlanetLab experiment at 1, 4 and 16 times its size, and beside CloudSim where one is at hand.

`python -m benchmarks.replay --trace planetlab-20110303.tar.gz [--scales 1,4,16] [--repeat 5] [--cloudsim CLASSPATH]
[--loop bitbrains-rnd-2013-08.parquet] [--out FILE]`.
Each row is measured in a process of its own: `simulation_s` without reading and without compiling (`simulation_cpu_s`: its
processor time, which other work on the machine changes less; `process_cpu_s` of CloudSim has Java's start, the driver's compilation and reading in
it), `peak_bytes` with interpreter and libraries. At a
scale of n the trace's app VMs are there n times, on n times the hosts. CLASSPATH: compiled CloudSim 3.0.3, its examples,
and commons-math3. `--loop`: another trace is read and replayed through engine, guards and world with five-minutes.yaml.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.packing import quick
from autoscaler.replay.experiment import experiment
from autoscaler.replay.loop import replay
from autoscaler.replay.worlds import stage
from autoscaler.sim.cloudsim import facts
from autoscaler.sim.traces import Trace, read_trace
from benchmarks.result import ROOT, result, write

POLICY = ROOT / "policies" / "planetlab" / "lr-mmt.yaml"
FIVE_MINUTES = Path(__file__).parent / "five-minutes.yaml"
DRIVER = Path(__file__).parent / "CloudSimDay.java"
GOAL_S, GOAL_BYTES = 0.5, 300e6


def scaled(trace: Trace, times: int) -> Trace:
    """Every app VM `times` times."""
    return replace(
        trace,
        subjects=tuple(f"{subject}.{copy}" for subject in trace.subjects for copy in range(times)),
        cores=np.repeat(trace.cores, times, axis=1),
        allocated_cores=np.repeat(trace.allocated_cores, times),
        allocated_bytes=np.repeat(trace.allocated_bytes, times),
    )


def measure(path: Path, times: int, repeat: int) -> dict[str, Any]:
    """One row, measured in this process."""
    trace = scaled(read_trace(path), times)
    policy = load_policy(POLICY)
    if quick.HERE:
        quick.warm()
    walls, cpus = [], []
    for _ in range(repeat):
        begun, outcome = time.process_time(), experiment(trace, policy, 1, facts.HOSTS * times)
        walls.append(outcome.simulation_s)
        cpus.append(time.process_time() - begun)
    return {
        "program": "flexcapsule",
        "app_vms": len(trace.subjects),
        "hosts": facts.HOSTS * times,
        "simulation_s": statistics.median(walls),
        "simulation_cpu_s": statistics.median(cpus),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "energy_kwh": outcome.score["energy_kwh"],
        "migrations": outcome.score["migrations"],
    }


def loop(path: Path) -> dict[str, Any]:
    """One row: a trace through the loop of the live controller, measured in this process."""
    begun, begun_cpu = time.perf_counter(), time.process_time()
    trace = read_trace(path)
    read_s, read_cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    begun_cpu = time.process_time()
    outcome = replay(trace, load_policy(FIVE_MINUTES), stage(trace, None, 1), TOOLBOX, seed=1)
    cpu_s = time.process_time() - begun_cpu
    return {
        "program": f"flexcapsule, {path.name}",
        "app_vms": len(trace.subjects),
        "steps": trace.steps,
        "read_s": read_s,
        "read_cpu_s": read_cpu_s,
        "simulation_s": outcome.simulation_s,
        "simulation_cpu_s": cpu_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "migrations": outcome.score["migrations"],
        "cost": outcome.score["cost"],
    }


def cloudsim(path: Path, classpath: str) -> dict[str, Any]:
    """The same day under CloudSim."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        day = next(Path(folder).iterdir())
        call = ["java", "-cp", classpath, str(DRIVER), str(day), "lr", "mmt", "1.2"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        printed = subprocess.run(call, capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = json.loads(printed.strip().splitlines()[-1])
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own = {"program": "CloudSim 3.0.3", "app_vms": len(read_trace(path).subjects), "hosts": facts.HOSTS}
    return {**own, **told, "process_cpu_s": cpu_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--scales", default="1,4,16")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--cloudsim", metavar="CLASSPATH")
    parser.add_argument("--loop", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.trace, asked.one, asked.repeat)))
        return
    if asked.loop and not asked.scales:
        print(json.dumps(loop(asked.loop)))
        return
    rows = [cloudsim(asked.trace, asked.cloudsim)] if asked.cloudsim else []
    for times in map(int, asked.scales.split(",")):
        call = [sys.executable, "-m", "benchmarks.replay", "--trace", str(asked.trace), "--one", str(times)]
        done = subprocess.run(
            [*call, "--repeat", str(asked.repeat)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        rows.append(json.loads(done.stdout))
    if asked.loop:
        call = [sys.executable, "-m", "benchmarks.replay", "--trace", str(asked.trace), "--loop", str(asked.loop)]
        done = subprocess.run([*call, "--scales", ""], capture_output=True, text=True, check=True, cwd=ROOT)
        rows.append(json.loads(done.stdout))
    show(rows)
    conditions = {"trace": asked.trace.name, "policy": POLICY.stem, "machine_code": quick.HERE, "repeat": asked.repeat}
    if asked.out:
        write(result("replay", 1, conditions, rows, ("numpy",)), asked.out)


def show(rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names, title=f"goal: {GOAL_S} s and {GOAL_BYTES / 1e6:.0f} MB at 1x")
    for row in rows:
        table.add_row(
            *(f"{value:.4g}" if isinstance(value := row.get(name, ""), float) else str(value) for name in names)
        )
    Console().print(table)


if __name__ == "__main__":
    main()
