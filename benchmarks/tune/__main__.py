"""`flexcapsule tune` with one process and with more of them: time, and whether the same comes out.

`python -m benchmarks.tune [--trials 50] [--jobs 1,2] [--dask 2] [--repeat 1] [--out FILE]`. Load of two services over two days is made up
(seed 1). Each run is the command as a user calls it, in a process of its own, from its start to its end, the held-out scores
included; nothing is kept between runs. Numbers of processes are measured in turn, there and back, so that a machine that gets
slower meanwhile hurts all of them alike. `--dask`: at last once more on a Dask cluster of so many workers with a thread each, on this
machine, started before and not timed (0: not at all). `same`: the JSON that is told is the same to the byte as that of the first run.
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


def measured(load: Path, trials: int, *hands: str) -> tuple[float, str]:
    """Seconds from start to end, what was told."""
    begun = time.perf_counter()
    told = flexcapsule(
        *("tune", "-t", str(load), "-p", "balanced", "-n", str(trials), *hands),
        *("--seed", str(SEED), "--storage", "none", "--json"),
    )
    return time.perf_counter() - begun, told


def on_dask(load: Path, trials: int, workers: int) -> tuple[float, str]:
    from distributed import LocalCluster

    start: Any = LocalCluster  # which has no types
    with start(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        return measured(load, trials, "--scheduler", cluster.scheduler_address)


def rows(jobs: list[int], trials: int, repeat: int, workers: int) -> list[dict[str, Any]]:
    runs: dict[str, list[tuple[float, str]]] = {str(count): [] for count in jobs}
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load.parquet"
        flexcapsule(
            "trace", "generate", str(load), "--days", str(DAYS), "--subjects", str(SUBJECTS), "--seed", str(SEED)
        )
        for turn in range(repeat):
            for count in jobs if turn % 2 == 0 else reversed(jobs):
                runs[str(count)].append(measured(load, trials, "-j", str(count)))
        if workers:
            runs[f"{workers} dask"] = [on_dask(load, trials, workers)]
    first = runs[str(jobs[0])][0][1]
    alone_s = median(taken for taken, _ in runs[str(jobs[0])])
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
    parser.add_argument("--dask", type=int, default=2, help="workers of a Dask cluster, for one more run; 0: none")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--beside", default="nothing", help="what else ran on the machine, for the result")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = rows([int(count) for count in options.jobs.split(",")], options.trials, options.repeat, options.dask)
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
        write(result("tune", SEED, conditions, found, ("optuna", "distributed", "numpy")), options.out)
    if not all(row["same"] for row in found):
        sys.exit("not the same to the byte")


if __name__ == "__main__":
    main()
