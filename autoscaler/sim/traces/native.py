"""FlexCapsule's own layout, for those who bring their own load: one row per sample, as CSV or Parquet (docs/replay.md).

Columns: `app_vm` or `service` (its id), `at` (seconds since the epoch, or ISO 8601), `cpu_cores` (asked for); if known
`memory_bytes` (in use), `cores` and `memory_allocated_bytes` (what it may use at most; of a service: one replica).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.errors import UsageError
from autoscaler.sim.traces import tables
from autoscaler.sim.traces.files import refuse
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.trace import GIB, Kind, Repairs, Trace

SUBJECT: dict[Kind, str] = {"app_vms": "app_vm", "services": "service"}
NEEDED = ("at", "cpu_cores")
OPTIONAL = ("memory_bytes", "cores", "memory_allocated_bytes")
DEFAULT_BYTES = 0.25 * GIB


def read(path: Path) -> Trace:
    if path.suffix != ".parquet":
        repairs = Repairs()
        return _read(path, tables.csv(path, repairs), repairs)
    columns = [name for name in (*SUBJECT.values(), *NEEDED, *OPTIONAL) if name in tables.parquet_columns(path)]
    return _read(path, tables.parquet(path, columns).to_pandas(), Repairs())


def write(trace: Trace, path: Path) -> None:
    """Write `trace` in this layout; `.csv` or `.parquet`."""
    steps, subjects = np.nonzero(~np.isnan(trace.cores))
    table = {
        SUBJECT[trace.kind]: np.array(trace.subjects)[subjects],
        "at": trace.start_at + steps * trace.step_s,
        "cpu_cores": trace.cores[steps, subjects],
        "cores": trace.allocated_cores[subjects],
        "memory_allocated_bytes": trace.allocated_bytes[subjects],
    }
    if trace.memory_bytes is not None:
        table["memory_bytes"] = trace.memory_bytes[steps, subjects]
    try:
        if path.suffix == ".csv":
            pd.DataFrame(table).to_csv(path, index=False)
        elif path.suffix == ".parquet":
            pq.write_table(pa.table(table), path)
        else:
            raise UsageError(f"cannot write {str(path)!r}: its name must end in .parquet or .csv")
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _read(path: Path, table: pd.DataFrame, repairs: Repairs) -> Trace:
    kind = next((kind for kind, name in SUBJECT.items() if name in table.columns), None)
    if kind is None:
        raise refuse(path, f"it has no column 'app_vm' or 'service'; it has {', '.join(map(str, table.columns))}")
    for name in NEEDED:
        if name not in table.columns:
            raise refuse(path, f"it has no column {name!r}; it has {', '.join(map(str, table.columns))}")
    codes, names = pd.factorize(table[SUBJECT[kind]].astype(str), use_na_sentinel=False)
    subject: IntArray = np.asarray(codes, dtype=np.int64)
    measured = [name for name in ("cpu_cores", "memory_bytes") if name in table.columns]
    metrics = {name: tables.numbers(path, table, name) for name in measured}
    allocated = {name: _most(path, table, name, subject, len(names)) for name in OPTIONAL[1:]}
    limit = allocated["cores"]
    if kind == "app_vms" and limit is not None:
        repairs.over_capacity = int((metrics["cpu_cores"] > limit[subject]).sum())
        metrics["cpu_cores"] = np.minimum(metrics["cpu_cores"], limit[subject])
    grid = lay_out(subject, tables.seconds(path, table["at"]), metrics, repairs)
    cores = grid.metrics["cpu_cores"]
    most = np.nanmax(cores, axis=0) if kind == "app_vms" else np.ones(len(names))
    memory = grid.metrics.get("memory_bytes")
    return Trace(
        name=path.stem,
        layout="native",
        kind=kind,
        start_at=grid.start_at,
        step_s=grid.step_s,
        subjects=tuple(map(str, names)),
        cores=cores,
        memory_bytes=memory,
        allocated_cores=np.maximum(most, 0.01) if limit is None else limit,
        allocated_bytes=_bytes(allocated["memory_allocated_bytes"], memory, len(names)),
        repairs=repairs,
    )


def _most(path: Path, table: pd.DataFrame, name: str, subject: IntArray, count: int) -> FloatArray | None:
    if name not in table.columns:
        return None
    most = np.zeros(count)
    np.maximum.at(most, subject, np.nan_to_num(tables.numbers(path, table, name)))
    if (most <= 0).any():
        raise refuse(path, f"column {name!r} must be more than 0 for every subject")
    return most


def _bytes(given: FloatArray | None, memory: FloatArray | None, count: int) -> FloatArray:
    if given is not None:
        return given
    return np.full(count, DEFAULT_BYTES) if memory is None else np.maximum(np.nanmax(memory, axis=0), DEFAULT_BYTES)
