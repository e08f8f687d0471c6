"""What each cloud VM has left while a strategy thinks: the working copy in which it tries out its moves.

Separate from the core's projection, which judges what was proposed: here is where places are looked for, thousands of times
a tick, so everything is an array and a trial can be taken back. What is worth moving may not be decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray, Snapshot
from autoscaler.strategies.reading import cloud_vms_worked_on

ROUNDING = 1e-9  # of a core or a byte: sums of floats may differ in the last digit


@dataclass(frozen=True, slots=True)
class Marks:
    """Up to where a cloud VM is filled: CPU in use and memory allocated as shares of what it offers, and allocated cores
    per core."""

    cpu_fraction: float
    memory_fraction: float
    cpu_overcommit: float


class Room:
    """`cpu_cores`: (app VMs,) what each is expected to use. Only `open` cloud VMs receive, those that may be emptied `last`; those that have are `received`."""

    def __init__(self, snapshot: Snapshot, cpu_cores: FloatArray, marks: Marks) -> None:
        inventory = snapshot.inventory
        self.place: IntArray = snapshot.placement.copy()
        self.open: BoolArray = inventory.cloud_active & ~cloud_vms_worked_on(snapshot)
        self.marks = marks
        self._inventory, self.cpu_cores, self._memory = inventory, cpu_cores, inventory.app_memory_bytes
        reserved = np.array([snapshot.reserved_bytes.get(c.id, 0.0) for c in inventory.cloud_vms], dtype=np.float64)
        self.cpu_left = inventory.cloud_cores * marks.cpu_fraction - snapshot.on_cloud_vms(cpu_cores)
        self.memory_left = inventory.cloud_memory_bytes * marks.memory_fraction - reserved
        self.memory_left -= snapshot.on_cloud_vms(inventory.app_memory_bytes)
        self.cores_left = inventory.cloud_cores * marks.cpu_overcommit - snapshot.on_cloud_vms(inventory.app_cores)
        self.received: BoolArray = np.zeros(len(inventory.cloud_vms), dtype=np.bool_)
        self.last: BoolArray = np.zeros(len(inventory.cloud_vms), dtype=np.bool_)

    def best(self, app: int) -> int:
        """The open cloud VM that `app` leaves fullest, by CPU and memory, of those that stay before those that may be emptied; NOWHERE
        where it fits on none. Ties: first row.

        Not asked for pinned app VMs: they stay where they are.
        """
        cpu_left = self.cpu_left - self.cpu_cores[app]
        memory_left = self.memory_left - self._memory[app]
        fits = self.open & (cpu_left >= -ROUNDING) & (memory_left >= -ROUNDING)
        fits &= self.cores_left >= self._inventory.app_cores[app] - ROUNDING
        fits[self.place[app]] = False
        rivals = self.place[self._inventory.apart.rivals(app)]
        fits[rivals[rivals != NOWHERE]] = False
        if not fits.any():
            return NOWHERE
        staying = fits & ~self.last
        fits = staying if staying.any() else fits
        left = cpu_left / self._inventory.cloud_cores + memory_left / self._inventory.cloud_memory_bytes
        return int(np.argmin(np.where(fits, left, np.inf)))

    def elsewhere(self, row: int, apps: IntArray) -> list[tuple[int, int]] | None:
        """A place for each of `apps`, the biggest first, so that `row` may be released: (app VM, cloud VM) rows.

        Nothing is changed where one of them has none (None); else all are moved, and `row` receives no more.
        """
        was_open, moves = self.open[row], list[tuple[int, int]]()
        self.open[row] = False
        for app in self.biggest_first(apps):
            target = self.best(app)
            if target == NOWHERE:
                for moved, _ in reversed(moves):
                    self.move(moved, row)
                self.open[row] = was_open
                return None
            self.move(app, target)
            moves.append((app, target))
        self.received[[target for _, target in moves]] = True
        return moves

    def biggest_first(self, apps: IntArray) -> list[int]:
        """By the larger of its shares of CPU and memory of an average cloud VM; ties by row."""
        inventory = self._inventory
        share = np.maximum(
            self.cpu_cores[apps] / inventory.cloud_cores.mean(),
            self._memory[apps] / inventory.cloud_memory_bytes.mean(),
        )
        return [int(app) for app in apps[np.argsort(-share, kind="stable")]]

    def move(self, app: int, row: int) -> None:
        """Count `app` on `row` from now on; NOWHERE: on a cloud VM that does not exist yet."""
        for place, sign in ((self.place[app], 1.0), (row, -1.0)):
            if place != NOWHERE:
                self.cpu_left[place] += sign * self.cpu_cores[app]
                self.memory_left[place] += sign * self._memory[app]
                self.cores_left[place] += sign * self._inventory.app_cores[app]
        self.place[app] = row
