"""Series of one number over time, each the load of one service: World Cup requests, Azure and Google sums, NAB.

One file for the four, because each is a table of two columns and differs only in what they are called.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.sim.traces import tables
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.trace import Repairs, Trace, service_trace

GOOGLE = ("cpu", "canonical memory", "assigned memory", "disk I/O time", "disk space", "time (us)")
US_PER_S = 1e6


def read_world_cup(path: Path) -> Trace:
    """Requests per minute."""
    repairs = Repairs()
    table = tables.csv(path, repairs)
    at, count = tables.seconds(path, table["period"]), tables.numbers(path, table, "count")
    return _trace(path, "worldcup", at, count, "requests per minute", repairs, step_s=60.0)


def read_azure(path: Path) -> Trace:
    """The mean CPU summed over all virtual machines of the trace."""
    repairs = Repairs()
    table = tables.csv(path, repairs)
    at, value = tables.seconds(path, table["timestamp"]), tables.numbers(path, table, "avg cpu")
    return _trace(path, "azure", at, value, "summed CPU", repairs)


def read_google(path: Path) -> Trace:
    """The mean CPU summed over a cell; no header, the time is in the last column."""
    repairs = Repairs()
    table = tables.csv(path, repairs, names=GOOGLE)
    at = tables.numbers(path, table, GOOGLE[-1]) / US_PER_S
    return _trace(path, "google", at, tables.numbers(path, table, GOOGLE[0]), "summed CPU", repairs)


def read_nab(path: Path) -> Trace:
    """Numenta Anomaly Benchmark: a value every five minutes (taxis: thirty)."""
    repairs = Repairs()
    table = tables.csv(path, repairs)
    at, value = tables.seconds(path, table["timestamp"]), tables.numbers(path, table, "value")
    return _trace(path, "nab", at, value, "as recorded", repairs)


def _trace(
    path: Path,
    layout: str,
    at: FloatArray,
    value: FloatArray,
    unit: str,
    repairs: Repairs,
    step_s: float | None = None,
) -> Trace:
    grid = lay_out(np.zeros(len(at), dtype=np.int64), at, {"value": value}, repairs, step_s)
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    return service_trace(name, layout, grid.start_at, grid.step_s, grid.metrics["value"], unit, repairs)
