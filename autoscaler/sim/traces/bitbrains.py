"""Bitbrains GWA-T-12 (Grid Workloads Archive): CPU and memory of business app VMs; raw `;<tab>` CSV files, or one Parquet file.

Recorded: Shen, van Beek, Iosup, CCGrid 2015. The raw files say `Timestamp [ms]` and mean seconds; both are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.sim.traces import tables
from autoscaler.sim.traces.detect import BITBRAINS as PARQUET
from autoscaler.sim.traces.files import decoded, members, refuse
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.trace import Repairs, Trace

RAW = {
    "ts": "Timestamp [ms]",
    "cores": "CPU cores",
    "cpu_cap_mhz": "CPU capacity provisioned [MHZ]",
    "cpu_mhz": "CPU usage [MHZ]",
    "mem_cap_kb": "Memory capacity provisioned [KB]",
    "mem_used_kb": "Memory usage [KB]",
}
KIB = 1024.0
LEAST_BYTES = 64.0 * (1 << 20)  # some app VMs never had any memory; one cannot be placed without


def read_parquet(path: Path) -> Trace:
    table = tables.parquet(path, PARQUET)
    ids = table.column("vm").to_numpy(zero_copy_only=False)
    names, subject = np.unique(ids, return_inverse=True)
    columns = {name: tables.floats(table.column(name)) for name in PARQUET[1:]}
    return _trace(path, [f"app-{name}" for name in names], subject.astype(np.int64), columns, Repairs())


def read_raw(path: Path) -> Trace:
    """A folder or tar archive with one file per app VM, or one such file."""
    files = list(members(path)) if path.is_dir() or ".tar" in path.suffixes else [(path.name, path.read_bytes())]
    parts: dict[str, list[FloatArray]] = {name: [] for name in RAW}
    subject, repairs = [], Repairs()
    for row, (name, content) in enumerate(files):
        table = tables.csv(path, repairs, delimiter=";", content=decoded(path / name, content))
        table.columns = [str(column).strip() for column in table.columns]
        for key, column in RAW.items():
            if column not in table.columns:
                raise refuse(path, f"file {name!r} has no column {column!r}; it has {', '.join(table.columns)}")
            parts[key].append(tables.numbers(path, table, column))
        subject.append(np.full(len(table), row, dtype=np.int64))
    columns = {key: np.concatenate(values) for key, values in parts.items()}
    return _trace(path, [f"app-{Path(name).stem}" for name, _ in files], np.concatenate(subject), columns, repairs)


def _trace(
    path: Path, names: list[str], subject: IntArray, columns: Mapping[str, FloatArray], repairs: Repairs
) -> Trace:
    at = columns["ts"]
    at = at / 1000.0 if len(at) and np.nanmedian(at) > 1e11 else at
    cores, cap_mhz, used_mhz = columns["cores"], columns["cpu_cap_mhz"], columns["cpu_mhz"]
    off = cap_mhz <= 0
    repairs.capacity_zero = int(off.sum())
    share = np.divide(used_mhz, cap_mhz, out=np.zeros(len(at)), where=~off)
    memory, memory_cap = columns["mem_used_kb"] * KIB, columns["mem_cap_kb"] * KIB
    repairs.over_capacity = int((share > 1).sum() + (memory > memory_cap).sum())
    grid = lay_out(
        subject,
        at,
        {"cores": np.minimum(share, 1.0) * cores, "memory": np.minimum(memory, memory_cap)},
        repairs,
    )
    return Trace(
        name=path.stem,
        layout="bitbrains",
        kind="app_vms",
        start_at=grid.start_at,
        step_s=grid.step_s,
        subjects=tuple(names),
        cores=grid.metrics["cores"],
        memory_bytes=grid.metrics["memory"],
        allocated_cores=np.maximum(_most(subject, cores, len(names)), 1.0),
        allocated_bytes=np.maximum(_most(subject, memory_cap, len(names)), LEAST_BYTES),
        repairs=repairs,
    )


def _most(subject: IntArray, values: FloatArray, count: int) -> FloatArray:
    most = np.zeros(count)
    np.maximum.at(most, subject, np.nan_to_num(values))
    return most
