"""Who may not share a cloud VM with whom, found without comparing everybody with everybody.

Separate because strategies, guards and the planner ask the same question about thousands of app VMs. Rows in, rows out;
what is done about it may not be here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoscaler.core.model import AppVM

IntArray = NDArray[np.int64]
NOBODY: IntArray = np.zeros(0, dtype=np.int64)


class Apart:
    """An index over the app VMs of an inventory: whom each names in `apart_from`, and who names it."""

    def __init__(self, app_vms: Sequence[AppVM]) -> None:
        self._app_vms = app_vms
        self._shunning: dict[str, list[int]] = {}  # name -> rows that have it in apart_from
        for row, app_vm in enumerate(app_vms):
            for name in app_vm.apart_from:
                self._shunning.setdefault(name, []).append(row)
        self._called: dict[str, list[int]] = {
            name: [] for name in self._shunning
        }  # name -> rows whose id or service it is
        for row, app_vm in enumerate(app_vms if self._shunning else ()):
            for name in {app_vm.id, app_vm.service} - {""}:
                if name in self._called:
                    self._called[name].append(row)

    def rivals(self, row: int) -> IntArray:
        """Rows of the app VMs that `row` may not share a cloud VM with, by either one's word, ascending."""
        return self.rivals_of(self._app_vms[row])

    def rivals_of(self, app_vm: AppVM) -> IntArray:
        """The same for an app VM that need not be of the inventory (a replica to come)."""
        if not self._shunning:
            return NOBODY
        found = set(self._rows(self._called, app_vm.apart_from)) | set(
            self._rows(self._shunning, (app_vm.id, app_vm.service))
        )
        others = [row for row in found if self._app_vms[row].id != app_vm.id]
        return np.array(sorted(others), dtype=np.int64) if others else NOBODY

    @staticmethod
    def _rows(index: dict[str, list[int]], names: Iterable[str]) -> Iterable[int]:
        for name in names:
            if name:
                yield from index.get(name, ())
