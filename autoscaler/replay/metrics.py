"""A trace from what a Prometheus server recorded: CPU by a query of the user's, memory by another if there is one.

Separate from recordings.py because it needs a server and queries, not a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autoscaler.adapters.prometheus import Range, Series, query_range
from autoscaler.core.snapshot import FloatArray
from autoscaler.errors import UsageError
from autoscaler.sim.traces import Repairs, Trace
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.trace import GIB, Kind

DEFAULT_BYTES = 0.25 * GIB


def recorded_trace(
    url: str, cpu: str, memory: str | None, labels: Sequence[str], when: Range, kind: Kind, name: str
) -> Trace:
    """`cpu`: a query that gives cores; `memory`: bytes. Raises UsageError."""
    used = query_range(url, cpu, labels, when)
    if not used:
        raise UsageError(f"the query {cpu!r} gives no series in that time; try it in Prometheus' own page")
    subjects = tuple(used)
    repairs = Repairs()
    cores = _grid(used, subjects, when, repairs)
    resident = None if memory is None else _grid(query_range(url, memory, labels, when), subjects, when, repairs)
    most_bytes = np.full(len(subjects), DEFAULT_BYTES)
    if resident is not None:
        most_bytes = np.maximum(np.nanmax(np.nan_to_num(resident), axis=0), DEFAULT_BYTES)
    return Trace(
        name=name,
        layout="prometheus",
        kind=kind,
        start_at=when.start_at,
        step_s=when.step_s,
        subjects=subjects,
        cores=cores,
        memory_bytes=resident,
        allocated_cores=np.maximum(np.nanmax(np.nan_to_num(cores), axis=0), 0.01)
        if kind == "app_vms"
        else np.ones(len(subjects)),
        allocated_bytes=most_bytes,
        repairs=repairs,
    )


def _grid(series: Mapping[str, Series], subjects: Sequence[str], when: Range, repairs: Repairs) -> FloatArray:
    """(steps, subjects); what Prometheus has no sample for is repaired as in any trace. Times count from `start_at`."""
    known = [(row, series[name]) for row, name in enumerate(subjects) if name in series]
    steps = int((when.until - when.start_at) // when.step_s) + 1
    cores = np.full((steps, len(subjects)), np.nan)
    if not known:
        return cores
    row = np.concatenate([np.full(len(one.at), row, dtype=np.int64) for row, one in known])
    at = np.concatenate([one.at for _, one in known]) - when.start_at
    grid = lay_out(row, at, {"value": np.concatenate([one.values for _, one in known])}, repairs, when.step_s)
    first = round(grid.start_at / when.step_s)
    values = grid.metrics["value"]
    cores[first : first + len(values), : values.shape[1]] = values
    return cores
