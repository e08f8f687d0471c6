"""PlanetLab: one file per app VM with 288 whole numbers, CPU per cent every five minutes of a day; a folder or a tar archive.

Files in name order: the order is the mapping to app VM types of the standard experiment, and a folder has none of its own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.sim.traces.files import members, refuse
from autoscaler.sim.traces.trace import GIB, Repairs, Trace

SAMPLES = 288
STEP_S = 300.0
DAY = re.compile(r"(20\d{2})(\d{2})(\d{2})")
ALLOCATED_CORES = 1.0
ALLOCATED_GIB = 0.5  # not recorded; a small app VM


def read(path: Path) -> Trace:
    files = list(members(path))
    if not files:
        raise refuse(path, "it holds no file")
    repairs = Repairs()
    columns = [_column(path, name, content, repairs) for name, content in files]
    percent = np.array(columns).T
    repairs.over_capacity = int((percent > 100).sum())
    found = DAY.search(path.name)
    day = datetime(*map(int, found.groups()), tzinfo=UTC) if found else datetime(2011, 3, 3, tzinfo=UTC)  # type: ignore[misc,arg-type]
    count = len(files)
    return Trace(
        name=path.name.removesuffix(".gz").removesuffix(".tar"),
        layout="planetlab",
        kind="app_vms",
        start_at=day.timestamp(),
        step_s=STEP_S,
        subjects=tuple(name for name, _ in files),
        cores=np.minimum(percent, 100.0) / 100.0 * ALLOCATED_CORES,
        allocated_cores=np.full(count, ALLOCATED_CORES),
        allocated_bytes=np.full(count, ALLOCATED_GIB * GIB),
        repairs=repairs,
    )


def _column(path: Path, name: str, content: bytes, repairs: Repairs) -> FloatArray:
    try:
        values = np.array(content.split(), dtype=np.float64)
    except ValueError:
        raise refuse(path, f"file {name!r} in it holds something other than one number a line") from None
    if len(values) != SAMPLES:
        raise refuse(
            path,
            f"file {name!r} in it has {len(values)} lines, expected {SAMPLES} (it is cut short, or not of this layout)",
        )
    good = np.isfinite(values) & (values >= 0)
    if not good.all():
        repairs.not_a_number += int((~np.isfinite(values)).sum())
        repairs.negative += int((values < 0).sum())
        newest = np.maximum.accumulate(np.where(good, np.arange(SAMPLES), 0))
        values = np.where(good[newest], values[newest], 0.0)
    return values
