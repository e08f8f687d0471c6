"""Which app VM leaves an overloaded host first: the selection rules of the PlanetLab experiment.

Separate from the detectors because it ranks app VMs, not hosts. Ties go to the app VM that has been there longest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from autoscaler.core.snapshot import FloatArray

SelectionName = Literal["mmt", "mu", "mc"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What selection may look at. memory: (apps,), any unit. load: (apps,) share of what each may use at most.
    window: (samples, apps) past load, oldest first."""

    memory: Sequence[float] | FloatArray
    load: Sequence[float] | FloatArray
    window: FloatArray

    def key(self, select: Select) -> Sequence[float] | FloatArray | None:
        """(apps,) who has the least of it leaves first; None where that depends on who else is there."""
        keys: dict[Select, Sequence[float] | FloatArray] = {quickest_to_move: self.memory, least_loaded: self.load}
        return keys.get(select)


Select = Callable[[Candidates, Sequence[int]], int]


def quickest_to_move(about: Candidates, apps: Sequence[int]) -> int:
    """Minimum migration time: the smallest memory."""
    return min(apps, key=about.memory.__getitem__)


def least_loaded(about: Candidates, apps: Sequence[int]) -> int:
    """Minimum utilisation."""
    return min(apps, key=about.load.__getitem__)


def most_correlated(about: Candidates, apps: Sequence[int]) -> int:
    """Maximum correlation: the one whose past the others' pasts explain best (R squared of least squares with intercept).

    With fewer samples than unknowns, or pasts that depend on each other, the quickest to move.
    """
    past = about.window[:, list(apps)]
    samples, count = past.shape
    if count < 2 or count > samples:
        return quickest_to_move(about, apps)
    best, best_row = 0.0, 0
    for row in range(count):
        explained = _r_squared(np.delete(past, row, axis=1), past[:, row])
        if explained is None:
            return quickest_to_move(about, apps)
        if explained > best:
            best, best_row = explained, row
    return apps[best_row]


def _r_squared(others: FloatArray, own: FloatArray) -> float | None:
    """None where the others depend on each other exactly."""
    design = np.column_stack((np.ones(len(own)), others))
    q, r = np.linalg.qr(design)
    if not np.diag(r).all():
        return None
    residual = own - q @ (q.T @ own)
    total = float(((own - own.mean()) ** 2).sum())
    return 1.0 - float(residual @ residual) / total if total else 0.0


SELECTIONS: dict[SelectionName, Select] = {"mmt": quickest_to_move, "mu": least_loaded, "mc": most_correlated}
