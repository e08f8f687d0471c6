"""Recorded load and the world to replay it in, as the command line names them: for every command that replays.

Separate so that `--trace`, `--skip`, `--hours` and `--world` mean the same everywhere. Nothing is replayed here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.sim.scenario import Scenario
    from autoscaler.sim.traces import Trace


def world_of(name: str | None) -> str | Scenario | None:
    """A built-in world by its name, a scenario for a file, None for the one made to fit the trace. Raises PolicyError or UsageError."""
    from autoscaler.replay.batch import CLOUDSIM, PLANETLAB

    if name in (None, CLOUDSIM, PLANETLAB):
        return name
    from autoscaler.config import read_world

    return read_world(name if "/" not in str(name) else Path(str(name)))


def read_loads(paths: Sequence[Path]) -> Iterator[Trace]:
    """The loads, with a line on standard error for each that had to be repaired. Raises UsageError or JournalError."""
    from autoscaler.replay.recordings import read_recording

    for path in paths:
        trace = read_recording(str(path))
        repaired = ", ".join(f"{rule.replace('_', ' ')} {count}" for rule, count in trace.repairs.told())
        if repaired:
            print(f"{trace.name}: repaired {repaired}", file=sys.stderr)
        yield trace


def cut(trace: Trace, skip: float, hours: float | None) -> Trace:
    """The load without its first `skip` hours, and `hours` of it at most. Raises UsageError where nothing is left."""
    from autoscaler.errors import UsageError

    if not skip and hours is None:
        return trace
    first = round(skip * 3600 / trace.step_s)
    last = trace.steps if hours is None else min(trace.steps, first + max(1, round(hours * 3600 / trace.step_s)))
    if first >= last:
        length = trace.steps * trace.step_s / 3600
        raise UsageError(f"--skip {skip:g}: trace {trace.name!r} has only {length:g} hours")
    return trace.between(first, last)
