"""What each service asked for over two weeks, in steps of five minutes: what forecasts are made from. Values and appending only.

Separate from history.py, whose windows belong to app VMs and end with them: a service outlives its replicas. Of a step the most
counts that its replicas used together, because capacity has to suffice for that. No forecast, and no guess where nothing came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

STEP_S = 300.0
STEPS_MOST = 15 * 288  # two weeks to learn from, and the day since


@dataclass(frozen=True, eq=False)
class Past:
    """services: their ids, in row order. cores: (services, t) of the steps that are over, oldest first, NaN where nothing came.
    newest: (services,) of the step that is not over. ordinal: which step that is, counted since the epoch; None: none yet."""

    services: tuple[str, ...] = ()
    cores: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    newest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    ordinal: int | None = None

    @property
    def begins_at(self) -> float:
        """When the oldest step began, in seconds since the epoch."""
        return ((self.ordinal or 0) - len(self.cores.T)) * STEP_S

    def extend(self, at: float, services: Sequence[str], used: NDArray[np.float64]) -> Past:
        """With one more observation: `used` (services,) cores, NaN where no replica was seen. A clock that was set back goes
        on with the step it was in."""
        same = self if tuple(services) == self.services else self._of(tuple(services))
        ordinal = int(at // STEP_S)
        if same.ordinal is None or ordinal <= same.ordinal:
            newest = np.fmax(same.newest, used)
            return Past(same.services, same.cores, newest, ordinal if same.ordinal is None else same.ordinal)
        silent = min(ordinal - same.ordinal - 1, STEPS_MOST)
        over = np.concatenate([_short(same.newest)[:, None], np.full((len(used), silent), np.nan)], axis=1)
        cores = np.concatenate([same.cores, over], axis=1)[:, -STEPS_MOST:]
        return Past(same.services, cores, np.array(used, dtype=np.float64), ordinal)

    def _of(self, services: tuple[str, ...]) -> Past:
        """The same steps of other services: newcomers have no past, and who is gone leaves none."""
        row = {service: number for number, service in enumerate(self.services)}
        cores, newest = np.full((len(services), self.cores.shape[1]), np.nan), np.full(len(services), np.nan)
        for number, service in enumerate(services):
            if service in row:
                cores[number], newest[number] = self.cores[row[service]], self.newest[row[service]]
        return Past(services, cores, newest, self.ordinal)


def _short(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """With seven digits: kept in every checkpoint, half of it would be noise that cannot be compressed."""
    return values.astype(np.float32).astype(np.float64)
