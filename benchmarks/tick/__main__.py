"""One decide-and-plan tick at 100, 1,000 and 10,000 app VMs with the composite strategy: time, peak memory, work done.

`python -m benchmarks.tick [--sizes 100,1000] [--repeat 3] [--strategy optimal] [--load 0.5] [--out FILE]`. Services have two weeks
behind them, which nothing was learned from yet: with `optimal`, `decide_s` includes the forecasts of all of them as after a
restart. With `--load 0.5` nobody is overloaded, and `optimal` looks for the best packing of all. Each measurement runs in a process of its own, so that
the peak is its own (`ru_maxrss`, interpreter and libraries included). What is timed is the whole of `Engine.handle(Observed)`:
window, snapshot, strategy, guards, plan, saga, the commands. `decide_s` is the first decision, on a cluster that is
known and at rest (`decide_cpu_s`: its processor time, which other work on the machine changes less); `next_s` is the one after
it, with all that was granted in flight.
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
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoscaler import registry
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import PolicyChanged
from autoscaler.core.model import Action
from autoscaler.core.policy import Limits, Policy, StrategySpec
from benchmarks.result import ROOT, result, write
from benchmarks.tick.scene import KINDS, observations, remembering

SIZES = (100, 1_000, 10_000)
GOAL = {"app_vms": 10_000, "decide_s": 1.0, "peak_bytes": 500e6}
OPTIMAL_GOAL = {"app_vms": 1_000, "decide_s": 2.0}
STRATEGY = StrategySpec("composite", {"replicas": {"name": "target_tracking", "cpu_target_fraction": 0.5}})


def measure(app_vms: int, seed: int, strategy: StrategySpec, load_fraction: float) -> dict[str, Any]:
    """One row, measured in this process."""
    engine = Engine(Toolbox(registry.build, lambda _text: lambda _variables: True))
    first, second, third = observations(app_vms, seed, 3, load_fraction=load_fraction)
    engine.handle(first)
    engine.state.history = remembering(engine.state.history, seed)
    engine.handle(PolicyChanged(0.0, Policy("tick", strategy, limits=Limits()), id="e0"))
    before_bytes = _peak_bytes()
    begun, cpu = time.perf_counter(), time.process_time()
    commands = engine.handle(second)
    decided, cpu = time.perf_counter(), time.process_time() - cpu
    audit = engine.state.last
    assert audit is not None
    assert audit.plan is not None
    engine.handle(third)
    ended = time.perf_counter()
    return {
        "app_vms": app_vms,
        "cloud_vms": len(first.cloud_vms or ()),
        "services": len(first.services or ()),
        "decide_s": decided - begun,
        "decide_cpu_s": cpu,
        "next_s": ended - decided,
        "peak_bytes": _peak_bytes(),
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


def apart(app_vms: int, seed: int, repeat: int, strategy: str, load: float) -> dict[str, Any]:
    """The median of `repeat` processes."""
    runs = []
    for _ in range(repeat):
        command = [
            sys.executable,
            "-m",
            "benchmarks.tick",
            "--one",
            str(app_vms),
            "--seed",
            str(seed),
            "--strategy",
            strategy,
            "--load",
            str(load),
        ]
        said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        runs.append(json.loads(said.stdout))
    row = dict(runs[0])
    for name in ("decide_s", "decide_cpu_s", "next_s", "peak_bytes", "before_bytes"):
        row[name] = statistics.median(run[name] for run in runs)
        row[f"{name}_spread"] = [min(run[name] for run in runs), max(run[name] for run in runs)]
    return row


def table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None)
    for heading in ("app VMs", "cloud VMs", "decide", "CPU", "next", "peak", "wishes", "granted", "steps"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            f"{row['app_vms']:,}",
            f"{row['cloud_vms']:,}",
            *(f"{row[name] * 1e3:,.0f} ms" for name in ("decide_s", "decide_cpu_s", "next_s")),
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            f"{row['proposals']:,}",
            f"{sum(row['granted'].values()):,}",
            f"{row['steps']:,}",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tick", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="app VMs, comma-separated")
    parser.add_argument("--repeat", type=int, default=3, help="processes per size; the median is reported")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", default=STRATEGY.name, help="composite as below, or another with its defaults")
    parser.add_argument("--load", type=float, default=1.0, help="of the scene's usual use of CPU")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    strategy = STRATEGY if told.strategy == STRATEGY.name else StrategySpec(told.strategy)
    if told.one:
        print(json.dumps(measure(told.one, told.seed, strategy, told.load)))
        return
    rows = [apart(int(size), told.seed, told.repeat, told.strategy, told.load) for size in told.sizes.split(",")]
    conditions = {
        "strategy": strategy.name,
        "parameters": strategy.parameters,
        "limits": "defaults",
        "window_samples": Policy("", STRATEGY).window_samples,
        "cloud_vms_by_kind": {name: kind.share for name, kind in KINDS.items()},
        "repeat": told.repeat,
        "load_fraction": told.load,
        "past_days": 15,
        "goal": OPTIMAL_GOAL if told.strategy == "optimal" else GOAL,
    }
    document = result("tick", told.seed, conditions, rows, ("numpy",))
    Console().print(table(rows))
    for row in rows:
        actions = " ".join(f"{action} {row['granted'].get(action, 0)}" for action in Action)
        print(f"{row['app_vms']:>6,}: granted {actions}; denied {row['denied'] or 'none'}")
    if told.out:
        write(document, told.out)


if __name__ == "__main__":
    main()
