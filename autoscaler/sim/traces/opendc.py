"""OpenDC: a folder with `meta.parquet` (what each app VM was given) and `trace.parquet` (CPU it used, in MHz, by duration)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.sim.traces import tables
from autoscaler.sim.traces.detect import OPENDC
from autoscaler.sim.traces.files import refuse
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.trace import Repairs, Trace, names_of

META, TRACE = OPENDC
KIB, MIB = 1 << 10, 1 << 20
MOST_BYTES = 8 << 40  # no app VM was given more: then the column is in KiB
STEP_S, MS_PER_S = 300.0, 1000.0
FACTORS = {"[s": 1.0, "[ms": 1e3, "[us": 1e6, "[ns": 1e9}


def read(path: Path) -> Trace:
    """`cpu_capacity` is in MHz of all cores together (of one core in some versions of the format), `mem_capacity` in MiB (in
    KiB in some). A sample stands for the `duration` that ends at its `timestamp`."""
    meta = tables.parquet(path / META, ("id", "cpu_count", "cpu_capacity", "mem_capacity"))
    trace = tables.parquet(path / TRACE, ("id", "timestamp", "duration", "cpu_usage"))
    names = np.array(meta.column("id").to_pylist())
    order = np.argsort(names, kind="stable")
    ids = np.array(trace.column("id").to_pylist())
    where = np.searchsorted(names, ids, sorter=order)
    known = (where < len(names)) & (names[order[np.minimum(where, len(names) - 1)]] == ids)
    if not known.all():
        raise refuse(path, f"{TRACE} has app VM {ids[~known][0]!r}, which {META} does not")
    subject = order[where]
    cores = tables.floats(meta.column("cpu_count"))
    used_mhz = tables.floats(trace.column("cpu_usage"))
    mhz_per_core = _mhz_per_core(tables.floats(meta.column("cpu_capacity")), cores, subject, used_mhz)
    used = used_mhz / mhz_per_core[subject]
    repairs = Repairs()
    repairs.over_capacity = int((used > cores[subject] * (1 + 1e-6)).sum())
    unit = str(trace.column("timestamp").type)
    at = tables.floats(trace.column("timestamp").cast("int64")) / next(f for mark, f in FACTORS.items() if mark in unit)
    steps = np.maximum(np.round(tables.floats(trace.column("duration")) / MS_PER_S / STEP_S), 1).astype(np.int64)
    sample = np.repeat(np.arange(len(at)), steps)
    back = steps[sample] - 1 - (np.arange(len(sample)) - np.repeat(np.cumsum(steps) - steps, steps))
    cut = np.minimum(used, cores[subject])
    grid = lay_out(subject[sample], at[sample] - back * STEP_S, {"cores": cut[sample]}, repairs, STEP_S)
    memory = tables.floats(meta.column("mem_capacity"))
    return Trace(
        name=path.name,
        layout="opendc",
        kind="app_vms",
        start_at=grid.start_at,
        step_s=grid.step_s,
        subjects=names_of(names.tolist(), "app"),
        cores=_for_all(grid.metrics["cores"], len(names)),
        allocated_cores=cores,
        allocated_bytes=np.maximum(memory, 1.0) * (KIB if memory.max() * MIB > MOST_BYTES else MIB),
        repairs=repairs,
    )


def _mhz_per_core(capacity: FloatArray, cores: FloatArray, subject: IntArray, used_mhz: FloatArray) -> FloatArray:
    """`cpu_capacity` counts all cores, unless app VMs are seen to use more than that."""
    peak = np.zeros(len(cores))
    np.maximum.at(peak, subject, np.nan_to_num(used_mhz))
    of_one = (peak > capacity * 1.05).any()
    return np.asarray(np.maximum(capacity if of_one else capacity / np.maximum(cores, 1.0), 1.0))


def _for_all(cores: FloatArray, count: int) -> FloatArray:
    """App VMs after the last one with samples have none."""
    return np.pad(cores, ((0, 0), (0, count - cores.shape[1])), constant_values=np.nan)
