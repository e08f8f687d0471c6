"""Power drawn by a host as a function of its load: piecewise linear between measured points. Arrays in, arrays out.

Separate because the placement asks it and the experiment's bill is made with it. No host, no app VM may be here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscaler.core.snapshot import FloatArray, IntArray

POINTS = 11  # at 0, 10, .. 100 % load
MEASURED_W = {  # SPECpower_ssj2008 results of HP ProLiant ML110 G4 and G5, by the name of the size
    "ml110-g4": (86.0, 89.4, 92.6, 96.0, 99.5, 102.0, 106.0, 108.0, 112.0, 114.0, 117.0),
    "ml110-g5": (93.7, 97.0, 101.0, 105.0, 110.0, 116.0, 121.0, 125.0, 129.0, 133.0, 135.0),
}
IDLE_SHARE = 0.6  # of its full power that a server draws when idle, where nothing was measured: as the two above, about
W_PER_CORE = 12.0  # at full load, where nothing was measured: a 64-core server of the 2020s draws about 750 W


def curve(size: str, cores: float) -> tuple[float, ...]:
    """Watts of a cloud VM of that size: as measured, or a straight line from its cores."""
    full_w = W_PER_CORE * cores
    straight = tuple(full_w * (IDLE_SHARE + (1 - IDLE_SHARE) * point / (POINTS - 1)) for point in range(POINTS))
    return MEASURED_W.get(size, straight)


class PowerCurves:
    """Watts of several kinds of host. `watts[kind]`: POINTS values. `draw` and `of` compute the same digits, one array-wise."""

    def __init__(self, watts: Sequence[Sequence[float]]) -> None:
        table = np.array(watts, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != POINTS:
            raise ValueError(f"a power curve has {POINTS} points, got an array of shape {table.shape}")
        self.watts = table
        self._at = np.pad(
            table, ((0, 0), (0, 1)), mode="edge"
        ).ravel()  # one more, so that full load has a right neighbour
        self._rise = np.pad(np.diff(table, axis=1) / 10, ((0, 0), (0, 2))).ravel()
        self.least_rise = np.diff(table, axis=1).min(axis=1) * 10  # W per unit of load, at least, by kind
        self.table, self.stride = np.array((self._at, self._rise)), POINTS + 1
        self._scalar_at, self._scalar_rise = self._at.tolist(), self._rise.tolist()

    def draw(self, kind: IntArray, load: FloatArray) -> FloatArray:
        """Watts of hosts of `kind` at `load` (fractions from 0 to 1); shapes are broadcast."""
        tenth: NDArray[np.int64] = (load * 10).astype(np.int64)
        point = tenth + kind * (POINTS + 1)
        return np.asarray(self._at[point] + self._rise[point] * (load - tenth / 10) * 100)

    def of(self, kind: int, load: float) -> float:
        """Watts of one host."""
        tenth = int(load * 10)
        point = tenth + kind * (POINTS + 1)
        watts: float = self._scalar_at[point] + self._scalar_rise[point] * (load - tenth / 10) * 100
        return watts
