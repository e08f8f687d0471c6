"""How good packings are, how far from the best at most, and how long they take; beside best-fit decreasing on the same problems.

`python -m benchmarks.packing [--items 400,2000,10000] [--seeds 1,2,3,4,5] [--small 500] [--anytime 1000,10000] [--out FILE]`. Each row is
a process of its own, so that the peak is its own (`ru_maxrss`, interpreter and libraries included). Time is given on the wall and
of the processor; the limit holds for the latter, which other work on the machine changes less. Every packing and every bound is
verified by the independent checker, outside the time (`check_s`: how long that takes). `--small`: so many random problems of up
to 8 app VMs and 3 sizes, against the optimum by brute force. `--anytime`: problems of so many app VMs, stopped at ever shorter
limits, all in one process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autoscaler.packing.checker import check
from autoscaler.packing.problem import Packing, Problem, moved, objective
from autoscaler.packing.solve import Effort, solve
from benchmarks.packing.instances import problem as made
from benchmarks.packing.rivals import from_present, from_scratch
from benchmarks.packing.small import cheapest, small_problem
from benchmarks.result import ROOT, result, write

LIMIT_S = {400: 5.0, 2000: 15.0, 10_000: 30.0}
GOAL_GAP = {400: 0.01, 2000: 0.02, 10_000: 0.03}
GOAL_BYTES = 2e9
MOST = Effort(
    boxes=1000, exchanges=100_000, trials=1_000_000
)  # the clock ends it, or being as near to the bound as `optimal` asks


ANYTIME_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def measure(items: int, seed: int) -> dict[str, Any]:
    """One row, measured in this process."""
    problem = made(items, seed)
    row = stopped(problem, LIMIT_S.get(items, 30.0))
    row = {"items": items, "seed": seed, "bins": problem.bins, "sizes": len(problem.size_price)} | row
    row["present_objective"] = float(problem.bin_price.sum())
    for name, rival in (("bfd_from_scratch", from_scratch), ("bfd_from_present", from_present)):
        row |= _beside(name, problem, rival, row["lower_bound"])
    return row


def stopped(problem: Problem, limit: float) -> dict[str, Any]:
    """What is found by the limit, and what the checker says of it."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = solve(problem, MOST, stop=lambda: time.process_time() - cpu > limit)
    row = {"limit_s": limit, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    row["peak_bytes"] = _peak_bytes()
    assert answer.packing is not None
    row |= {"objective": answer.objective, "lower_bound": answer.lower_bound, "gap_fraction": answer.gap_fraction}
    row["moved"] = int(moved(problem, answer.packing).sum())
    checking = time.process_time()
    verdict = check(problem, answer.packing, answer.objective, answer.lower_bound, answer.proof)
    row |= {"faults": list(verdict.faults), "bound_confirmed": verdict.confirmed, "own_bound": verdict.own_bound}
    row["check_s"] = time.process_time() - checking
    return row


def anytime(items: int, seed: int) -> list[dict[str, Any]]:
    """One problem, stopped at each limit."""
    problem = made(items, seed)
    stopped(problem, 10.0)  # what is imported and allocated once is no part of a limit
    return [{"items": items, "seed": seed} | stopped(problem, limit) for limit in ANYTIME_S]


def _beside(name: str, problem: Problem, rival: Callable[[Problem], Packing], bound: float) -> dict[str, Any]:
    begun = time.process_time()
    packing = rival(problem)
    took, cost = time.process_time() - begun, objective(problem, packing)
    assert not check(problem, packing, cost, 0.0).faults
    return {f"{name}_objective": cost, f"{name}_gap_fraction": cost / bound - 1, f"{name}_cpu_s": took}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart(items: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.packing", "--one", f"{items}:{seed}"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return dict(json.loads(said.stdout))


def against_brute_force(problems: int) -> dict[str, Any]:
    """How many of so many random small problems are solved to the optimum (those without any packing: found to be so)."""
    equal = unsolvable = 0
    for seed in range(problems):
        problem = small_problem(seed)
        best, answer = cheapest(problem), solve(problem)
        unsolvable += bool(np.isinf(best))
        equal += answer.exact and bool(np.isclose(answer.objective, best, rtol=1e-9))
    return {"small_problems": problems, "equal_to_brute_force": equal, "without_any_packing": unsolvable}


def limits_table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None)
    for heading in ("items", "limit", "taken (CPU)", "above the bound", "faults", "bound confirmed"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        took = (f"{row['limit_s']:.2f} s", f"{row['cpu_s']:.3f} s", f"{row['gap_fraction']:.2%}")
        shown.add_row(f"{row['items']:,}", *took, str(len(row["faults"])), "yes" if row["bound_confirmed"] else "NO")
    return shown


def table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None)
    headings = (
        "items",
        "seed",
        "now",
        "BFD drain",
        "BFD anew",
        "optimal",
        "bound",
        "gap",
        "goal",
        "moved",
        "CPU",
        "wall",
        "peak",
    )
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            f"{row['items']:,}",
            str(row["seed"]),
            *(
                f"{row[name]:.3f}"
                for name in ("present_objective", "bfd_from_present_objective", "bfd_from_scratch_objective")
            ),
            *(f"{row[name]:.3f}" for name in ("objective", "lower_bound")),
            f"{row['gap_fraction']:.2%}",
            f"{GOAL_GAP.get(row['items'], float('nan')):.0%}",
            str(row["moved"]),
            f"{row['cpu_s']:.2f} s",
            f"{row['wall_s']:.2f} s",
            f"{row['peak_bytes'] / 1e6:.0f} MB",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packing", description=__doc__)
    parser.add_argument("--items", default=",".join(map(str, LIMIT_S)), help="app VMs, comma-separated")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="comma-separated")
    parser.add_argument("--small", type=int, default=0, help="random small problems against brute force")
    parser.add_argument("--anytime", default="", help="app VMs, comma-separated: stopped at short limits, first seed")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        print(json.dumps(measure(*map(int, told.one.split(":")))))
        return
    seeds = [int(seed) for seed in told.seeds.split(",")]
    rows = [apart(int(items), seed) for items in told.items.split(",") if items for seed in seeds]
    small = against_brute_force(told.small) if told.small else {}
    limited = [row for items in told.anytime.split(",") if items for row in anytime(int(items), seeds[0])]
    Console(width=140).print(table(rows))
    if limited:
        Console(width=140).print(limits_table(limited))
    rows += limited
    faulty = [row for row in rows if row["faults"]]
    print(
        f"faults found by the checker: {len(faulty)}; bounds confirmed: {sum(r['bound_confirmed'] for r in rows)} of {len(rows)}"
    )
    if small:
        print(small)
    if told.out:
        conditions = {
            "limit_s": LIMIT_S,
            "goal_gap_fraction": GOAL_GAP,
            "goal_bytes": GOAL_BYTES,
            "seeds": seeds,
            **small,
        }
        write(result("packing", 0, conditions, rows, ("numpy", "highspy")), told.out)


if __name__ == "__main__":
    main()
