"""The names a policy's conditions may use, with their types, and their values for one proposal. No expression language here.

Separate from the guard so that `policylang` can check an expression against the same table before a policy is loaded.
Loads are fractions; a value that is not known (no such service, nothing forecast) is the type's zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autoscaler.core.snapshot import FloatArray, Snapshot

# group -> name -> type. `forecast` is open: the names are those the policy's forecaster gives.
NAMES: Mapping[str, Mapping[str, type]] = {
    "usage": {"cpu": float, "memory": float, "cloud_vms": int, "app_vms": int, "price_per_hour": float},
    "service": {"name": str, "replicas": int, "cpu": float, "memory": float},
    "time": {"hour": int, "minute": int, "weekday": int},
    "forecast": {"cpu": float, "memory": float},
}
PLAIN: Mapping[str, type] = {"action": str}


def context(
    snapshot: Snapshot,
    action: str,
    service: str | None,
    forecast: Mapping[str, float],
    clock: tuple[int, int, int],
) -> dict[str, Any]:
    """The values of NAMES and PLAIN. `clock`: (hour, minute, weekday; 0 = Monday) on the policy's wall clock."""
    placed = snapshot.placement >= 0
    hour, minute, weekday = clock
    return {
        "action": str(action),
        "usage": {
            "cpu": _share(snapshot.cpu_in_use_cores[placed], snapshot.inventory.cloud_cores),
            "memory": _share(snapshot.memory_in_use_bytes[placed], snapshot.inventory.cloud_memory_bytes),
            "cloud_vms": len(snapshot.cloud_vms),
            "app_vms": int(placed.sum()),
            "price_per_hour": snapshot.inventory.price_per_hour,
        },
        "service": _service(snapshot, service),
        "time": {"hour": hour, "minute": minute, "weekday": weekday},
        "forecast": {name: forecast.get(name, 0.0) for name in (*NAMES["forecast"], *forecast)},
    }


def _service(snapshot: Snapshot, service: str | None) -> dict[str, Any]:
    index = None if service is None else snapshot.inventory.service_index.get(service)
    if index is None:
        return {"name": "", "replicas": 0, "cpu": 0.0, "memory": 0.0}
    rows = snapshot.by_service[index]
    return {
        "name": service,
        "replicas": len(rows),
        "cpu": _share(snapshot.cpu_in_use_cores[rows], snapshot.inventory.app_cores[rows]),
        "memory": _share(snapshot.memory_in_use_bytes[rows], snapshot.inventory.app_memory_bytes[rows]),
    }


def _share(used: FloatArray, offered: FloatArray) -> float:
    total = float(np.sum(offered))
    return float(np.sum(used)) / total if total > 0 else 0.0
