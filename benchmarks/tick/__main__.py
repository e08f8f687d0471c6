"""One decide-and-plan tick at 100, 1,000 and 10,000 app VMs with `composite`, and at 1,000 with `optimal`: time, peak memory, work done.

`python -m benchmarks.tick [--repeat 3] [--strategy composite|optimal] [--sizes 100,1000] [--out FILE]`. With `optimal` there are two
scenes: *hot* (the usual one: some are overloaded or must be apart, and are relieved) and *scattered* (the same app VMs, a quarter as
many cloud VMs, half the load: nobody has to leave, and the best packing of all is looked for). Services have two weeks behind them.
Each measurement runs in a process of its own, so that the peak is its own (`ru_maxrss`, interpreter and libraries included).
What is timed is the whole of `Engine.handle(Observed)`: window, snapshot, strategy with its forecasts, guards, plan, saga, the
commands. `decide_s` is the first decision, on a cluster that is known and at rest, with nothing learned from the two weeks yet, as after a
restart (`decide_cpu_s`: its processor time, which other work on the machine changes less); `next_s` is the one after it, with
all that was granted in flight; `warm_s` is a tick later than the first on the same cluster at rest, as if nothing had been granted, with
forecasters trained.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoscaler import registry
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Observed, PolicyChanged
from autoscaler.core.model import Action
from autoscaler.core.policy import Limits, Policy, StrategySpec
from benchmarks.result import ROOT, result, write
from benchmarks.tick.scene import KINDS, observations, remembering

SIZES = (100, 1_000, 10_000)
GOAL = {"app_vms": 10_000, "decide_s": 1.0, "peak_bytes": 500e6}
OPTIMAL_GOAL = {"app_vms": 1_000, "decide_s": 2.0}
STRATEGIES = {
    "composite": StrategySpec("composite", {"replicas": {"name": "target_tracking", "cpu_target_fraction": 0.5}}),
    "optimal": StrategySpec("optimal"),
}
LOAD = {"hot": 1.0, "scattered": 0.5}  # of the usual use of CPU


@dataclass(frozen=True, slots=True)
class Case:
    app_vms: int
    strategy: str
    scene: str
    seed: int


def cases(sizes: list[int] | None, strategies: list[str], seed: int) -> list[Case]:
    """What is measured unless something is named: see above."""
    return [
        Case(size, strategy, scene, seed)
        for strategy in strategies
        for size in sizes or (SIZES if strategy == "composite" else (OPTIMAL_GOAL["app_vms"],))
        for scene in (("hot",) if strategy == "composite" else LOAD)
    ]


def ready(case: Case, first: Observed) -> Engine:
    """An engine that has seen `first` and two weeks before it, and has its policy."""
    engine = Engine(Toolbox(registry.build, lambda _text: lambda _variables: True))
    engine.handle(first)
    engine.state.history = remembering(engine.state.history, case.seed)
    engine.handle(PolicyChanged(0.0, Policy("tick", STRATEGIES[case.strategy], limits=Limits()), id="e0"))
    return engine


def measure(case: Case) -> dict[str, Any]:
    """One row, measured in this process."""
    first, second, third = observations(
        case.app_vms, case.seed, 3, load_fraction=LOAD[case.scene], scattered=case.scene == "scattered"
    )
    engine = ready(case, first)
    before_bytes = _peak_bytes()
    begun, cpu = time.perf_counter(), time.process_time()
    commands = engine.handle(second)
    decided, cpu = time.perf_counter(), time.process_time() - cpu
    audit = engine.state.last
    assert audit is not None
    assert audit.plan is not None
    engine.handle(third)
    next_s, peak_bytes = time.perf_counter() - decided, _peak_bytes()
    other = ready(case, first)
    warm, warm_cpu = time.perf_counter(), time.process_time()
    other.handle(third)
    warm, warm_cpu = time.perf_counter() - warm, time.process_time() - warm_cpu
    return {
        "strategy": case.strategy,
        "scene": case.scene,
        "app_vms": case.app_vms,
        "cloud_vms": len(first.cloud_vms or ()),
        "services": len(first.services or ()),
        "decide_s": decided - begun,
        "decide_cpu_s": cpu,
        "next_s": next_s,
        "warm_s": warm,
        "warm_cpu_s": warm_cpu,
        "peak_bytes": peak_bytes,
        "before_bytes": before_bytes,
        "proposals": len(audit.decision.granted) + len(audit.decision.denied),
        "granted": {str(a): n for a, n in sorted(Counter(p.action for p in audit.decision.granted).items())},
        "denied": dict(sorted(Counter(d.denials[0].guard for d in audit.decision.denied).items())),
        "steps": len(audit.plan.steps),
        "infeasible": len(audit.plan.infeasible),
        "commands": len(commands),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart(case: Case, repeat: int) -> dict[str, Any]:
    """The median of `repeat` processes."""
    runs = []
    for _ in range(repeat):
        one = f"{case.app_vms}:{case.strategy}:{case.scene}:{case.seed}"
        command = [sys.executable, "-m", "benchmarks.tick", "--one", one]
        said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        runs.append(json.loads(said.stdout))
    row = dict(runs[0])
    for name in ("decide_s", "decide_cpu_s", "next_s", "warm_s", "warm_cpu_s", "peak_bytes", "before_bytes"):
        row[name] = statistics.median(run[name] for run in runs)
        row[f"{name}_spread"] = [min(run[name] for run in runs), max(run[name] for run in runs)]
    return row


def table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None)
    for heading in ("strategy", "scene"):
        shown.add_column(heading, no_wrap=True)
    for heading in (
        "app VMs",
        "cloud VMs",
        "decide",
        "CPU",
        "next",
        "warm",
        "CPU",
        "peak",
        "wishes",
        "granted",
        "steps",
    ):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            row["strategy"],
            row["scene"],
            f"{row['app_vms']:,}",
            f"{row['cloud_vms']:,}",
            *(f"{row[name] * 1e3:,.0f} ms" for name in ("decide_s", "decide_cpu_s", "next_s", "warm_s", "warm_cpu_s")),
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            f"{row['proposals']:,}",
            f"{sum(row['granted'].values()):,}",
            f"{row['steps']:,}",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tick", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", help="app VMs, comma-separated; else as above")
    parser.add_argument("--repeat", type=int, default=3, help="processes per row; the median is reported")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", choices=STRATEGIES, help="this alone")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        app_vms, strategy, scene, seed = told.one.split(":")
        print(json.dumps(measure(Case(int(app_vms), strategy, scene, int(seed)))))
        return
    sizes = [int(size) for size in told.sizes.split(",")] if told.sizes else None
    asked = cases(sizes, [told.strategy] if told.strategy else list(STRATEGIES), told.seed)
    rows = [apart(case, told.repeat) for case in asked]
    Console(width=140).print(table(rows))
    for row in rows:
        actions = " ".join(f"{action} {row['granted'].get(action, 0)}" for action in Action)
        print(
            f"{row['strategy']} {row['scene']} {row['app_vms']:,}: granted {actions}; denied {row['denied'] or 'none'}"
        )
    if told.out:
        conditions = {
            "parameters": {name: strategy.parameters for name, strategy in STRATEGIES.items()},
            "limits": "defaults",
            "window_samples": Policy("", STRATEGIES["composite"]).window_samples,
            "cloud_vms_by_kind": {name: kind.share for name, kind in KINDS.items()},
            "load_fraction": LOAD,
            "repeat": told.repeat,
            "past_days": 15,
            "goal": {"composite": GOAL, "optimal": OPTIMAL_GOAL},
        }
        write(result("tick", told.seed, conditions, rows, ("numpy", "highspy")), told.out)


if __name__ == "__main__":
    main()
