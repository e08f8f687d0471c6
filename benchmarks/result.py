"""One shape for every benchmark's result, so that figures can be compared and quoted with what they were measured on.

{"schema": 1, "benchmark": "tick", "measured_at": "2026-01-05T12:00:00Z", "seed": 1,
 "machine": {"cpu", "cores", "memory_bytes", "system"},
 "versions": {"commit", "python", "flexcapsule", and what else the benchmark depends on},
 "conditions": {what was the same for all rows}, "rows": [{one measurement: plain names with units last}]}
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCHEMA = 1
ROOT = Path(__file__).parent.parent


def result(
    benchmark: str,
    seed: int,
    conditions: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """The JSON document of one run; `packages`: distributions whose version matters beside our own."""
    return {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),  # noqa: TID251  when it was measured
        "seed": seed,
        "machine": machine(),
        "versions": {
            "commit": _commit(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("flexcapsule", *packages)},
        },
        "conditions": dict(conditions),
        "rows": [dict(row) for row in rows],
    }


def machine() -> dict[str, Any]:
    """What it was measured on; nothing that names the machine or its owner."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
    }


def write(document: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _commit() -> str:
    """The commit, with a + where the tree differs from it; empty outside a checkout."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
