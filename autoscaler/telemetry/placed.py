"""Placement over time in few series: how full cloud VMs are, and how many app VMs each size hosts.

Separate from collector.py because it answers a question (is it packed, or spread thin?) that no sum does; who runs where, by
name, is the status page's part.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric

from autoscaler.core.model import CloudVMState
from autoscaler.core.snapshot import Snapshot

BANDS = ("0%", "1-25%", "26-50%", "51-75%", "76-100%")  # of a cloud VM's memory that is allocated to app VMs


def placed(snapshot: Snapshot) -> Iterator[Metric]:
    inventory = snapshot.inventory
    there = [row for row, c in enumerate(inventory.cloud_vms) if c.state is not CloudVMState.GONE]
    share = snapshot.on_cloud_vms(inventory.app_memory_bytes) / np.maximum(inventory.cloud_memory_bytes, 1.0)
    band = np.clip(np.ceil(4.0 * share[there]), 0, len(BANDS) - 1).astype(np.int64)
    filled = GaugeMetricFamily(
        "flexcapsule_filled_cloud_vms", "Cloud VMs by the share of their memory allocated to app VMs", labels=["memory"]
    )
    for name, count in zip(BANDS, np.bincount(band, minlength=len(BANDS)).tolist(), strict=True):
        filled.add_metric([name], count)
    yield filled
    hosted = dict.fromkeys((*inventory.sizes, *(inventory.cloud_vms[row].size.name for row in there)), 0)
    for row in there:
        hosted[inventory.cloud_vms[row].size.name] += len(snapshot.by_cloud_vm[row])
    family = GaugeMetricFamily(
        "flexcapsule_hosted_app_vms", "App VMs running, by the size of the cloud VM they are on", labels=["size"]
    )
    for name, count in hosted.items():
        family.add_metric([name], count)
    yield family
