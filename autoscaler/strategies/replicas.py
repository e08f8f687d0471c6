"""From a wanted number of replicas to proposals: how many, within which bounds, and which replica goes.

Separate because every strategy for replicas needs the same answer. How many are wanted is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autoscaler.core.proposals import Evidence, Proposal, ScaleIn, ScaleOut
from autoscaler.core.snapshot import CPU, IntArray, Snapshot
from autoscaler.strategies.reading import app_vms_at_rest, believed


class Replicas:
    """Writes the proposals of one tick; remembers which replicas it has given up already."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._at_rest = app_vms_at_rest(snapshot)
        self._cpu = believed(snapshot, CPU, 1)
        inventory = snapshot.inventory
        self._cpu_used = snapshot.on_cloud_vms(self._cpu)
        self._memory_allocated = snapshot.on_cloud_vms(inventory.app_memory_bytes)

    def change(self, index: int, wanted: int, reason: str, evidence: Evidence) -> list[Proposal]:
        """Proposals that bring the service of row `index` to `wanted` replicas; none while a plan is changing their number.

        Above the service's maximum one replica is wished for all the same: the refusal says that the maximum binds. Below
        the minimum nothing is.
        """
        service, rows = self._snapshot.services[index], self._snapshot.by_service[index]
        if service.id in self._snapshot.in_flight:
            return []
        evidence = {"replicas": len(rows), "wanted": wanted, **evidence}
        most = min(wanted, max(service.max_replicas, len(rows)) + 1)
        if most > len(rows):
            return [ScaleOut(service.id, reason, evidence)] * (most - len(rows))
        leaving = self._leaving(rows, len(rows) - max(wanted, service.min_replicas))
        return [ScaleIn(service.id, self._snapshot.app_vms[app].id, reason, evidence) for app in leaving]

    def within_bounds(self, index: int) -> list[Proposal]:
        """What the bounds alone ask for: replicas lost to a fault, or bounds that were changed."""
        service, running = self._snapshot.services[index], len(self._snapshot.by_service[index])
        if running < service.min_replicas:
            reason = f"{service.id} has {running} of at least {service.min_replicas} replicas"
            return self.change(index, service.min_replicas, reason, {})
        if running > service.max_replicas:
            reason = f"{service.id} has {running} of at most {service.max_replicas} replicas"
            return self.change(index, service.max_replicas, reason, {})
        return []

    def name(self, index: int) -> str:
        return self._snapshot.services[index].id

    def _leaving(self, rows: IntArray, number: int) -> Iterator[int]:
        """The replicas whose stop helps most: on a cloud VM that takes nobody any more, then on the least loaded (so that it
        can be emptied); of several there, the youngest."""
        inventory, place = self._snapshot.inventory, self._snapshot.placement
        candidates = [int(row) for row in rows if self._at_rest[row]]
        for _ in range(min(max(number, 0), len(candidates))):
            load = np.maximum(
                self._cpu_used / inventory.cloud_cores, self._memory_allocated / inventory.cloud_memory_bytes
            )
            app = min(candidates, key=lambda a: (inventory.cloud_active[place[a]], load[place[a]], -a))
            candidates.remove(app)
            self._at_rest[app] = False
            self._cpu_used[place[app]] -= self._cpu[app]
            self._memory_allocated[place[app]] -= inventory.app_memory_bytes[app]
            yield app
