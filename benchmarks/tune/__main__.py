"""`flexcapsule tune` with one process and with more of them: time, and whether the same comes out.

`python -m benchmarks.tune [--trials 50] [--jobs 1,2] [--repeat 1] [--out FILE]`. Load of two services over two days is made up
(seed 1). Each run is the command as a user calls it, in a process of its own, from its start to its end, the held-out scores
included; nothing is kept between runs. Numbers of processes are measured in turn, there and back, so that a machine that gets
slower meanwhile hurts all of them alike. `same`: the JSON that is told is the same to the byte as that of the first run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.result import result, write

COMMAND = (sys.executable, "-c", "from autoscaler.cli.main import main; main()")
SEED, DAYS, SUBJECTS = 1, 2, 2


def flexcapsule(*arguments: str) -> str:
    return subprocess.run([*COMMAND, *arguments], check=True, capture_output=True, text=True).stdout


def measured(load: Path, jobs: int, trials: int) -> tuple[float, str]:
    """Seconds from start to end, what was told."""
    begun = time.perf_counter()
    told = flexcapsule(
        *("tune", "-t", str(load), "-p", "balanced", "-n", str(trials), "-j", str(jobs)),
        *("--seed", str(SEED), "--storage", "none", "--json"),
    )
    return time.perf_counter() - begun, told


def rows(jobs: list[int], trials: int, repeat: int) -> list[dict[str, Any]]:
    runs: dict[int, list[tuple[float, str]]] = {count: [] for count in jobs}
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load.parquet"
        flexcapsule(
            "trace", "generate", str(load), "--days", str(DAYS), "--subjects", str(SUBJECTS), "--seed", str(SEED)
        )
        for turn in range(repeat):
            for count in jobs if turn % 2 == 0 else reversed(jobs):
                runs[count].append(measured(load, count, trials))
    first = runs[jobs[0]][0][2]
    alone_s = median(taken for taken, _ in runs[jobs[0]])
    return [
        {
            "jobs": count,
            "trials": trials,
            "taken_s": round(median(taken for taken, _ in made), 2),
            "times_as_fast": round(alone_s / median(taken for taken, _ in made), 3),
            "same": all(told == first for _, told in made),
        }
        for count, made in runs.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--jobs", default="1,2", help="the first is what others are compared with")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--beside", default="nothing", help="what else ran on the machine, for the result")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = rows([int(count) for count in options.jobs.split(",")], options.trials, options.repeat)
    table = Table("jobs", "trials", "taken", "times as fast", "same")
    for row in found:
        table.add_row(*(str(row[name]) for name in ("jobs", "trials", "taken_s", "times_as_fast", "same")))
    Console().print(table)
    if options.out is not None:
        conditions = {
            "policy": "balanced",
            "load": f"diurnal, {SUBJECTS} services, {DAYS} days",
            "folds": 3,
            "ahead": 8,
        }
        write(result("tune", SEED, conditions, found, ("optuna", "numpy")), options.out)
    if not all(row["same"] for row in found):
        sys.exit("not the same to the byte")


if __name__ == "__main__":
    main()
