"""The pre-copy migration model: how long a move takes and how long it pauses. Used by guards, planner and the simulated cluster.

Rounds of copying: the first sends the memory in use, each next one what was dirtied meanwhile, until what is left would
pass within the pause limit or the rounds are used up; then the app VM pauses, the rest is sent, and the toolstack hands over.
(Clark et al., Live Migration of Virtual Machines, NSDI 2005; xl's defaults: 5 rounds, 50 pages left.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MAX_ROUNDS = 5  # libxl's default number of iterations before the last one
HANDOVER_S = 0.2  # constant part of the pause: the published system's downtime, whatever the size
SETUP_S = 1.0  # reservation and connection before the first page (measured: 1.1 s under emulation)
STOP_BELOW_BYTES = 50 * 4096  # libxl's threshold of 50 dirty pages


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of one migration: its duration, its pause, and the bytes on the wire."""

    total_s: float
    downtime_s: float
    sent_bytes: float


def predict(memory_in_use_bytes: float, dirty_bytes_per_s: float, bandwidth_bytes_per_s: float) -> Prediction:
    """Predict a pre-copy migration; a dirty rate at or above the bandwidth ends in a long pause, as in reality."""
    left, sent, copying_s = memory_in_use_bytes, 0.0, 0.0
    for _ in range(MAX_ROUNDS):
        round_s = left / bandwidth_bytes_per_s
        sent, copying_s = sent + left, copying_s + round_s
        left = min(memory_in_use_bytes, dirty_bytes_per_s * round_s)
        if left <= STOP_BELOW_BYTES:
            break
    pause_s = HANDOVER_S + left / bandwidth_bytes_per_s
    return Prediction(SETUP_S + copying_s + pause_s, pause_s, sent + left)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Of many migrations: like `Prediction`, arrays of one shape."""

    total_s: Array
    downtime_s: Array
    sent_bytes: Array


def predict_all(memory_in_use_bytes: Array, dirty_bytes_per_s: Array, bandwidth_bytes_per_s: float) -> Predictions:
    """`predict` for many app VMs at once: arrays of one shape in and out."""
    left, copying_s = memory_in_use_bytes.copy(), np.zeros_like(memory_in_use_bytes)
    sent = np.zeros_like(memory_in_use_bytes)
    open_ = np.ones(left.shape, dtype=np.bool_)
    for _ in range(MAX_ROUNDS):
        round_s = np.where(open_, left / bandwidth_bytes_per_s, 0.0)
        sent, copying_s = sent + np.where(open_, left, 0.0), copying_s + round_s
        left = np.where(open_, np.minimum(memory_in_use_bytes, dirty_bytes_per_s * round_s), left)
        open_ &= left > STOP_BELOW_BYTES
    pause_s = HANDOVER_S + left / bandwidth_bytes_per_s
    return Predictions(SETUP_S + copying_s + pause_s, pause_s, sent + left)


def predict_totals_s(memory_in_use_bytes: Array, dirty_bytes_per_s: Array, bandwidth_bytes_per_s: float) -> Array:
    """`predict(...).total_s` for many app VMs at once."""
    return predict_all(memory_in_use_bytes, dirty_bytes_per_s, bandwidth_bytes_per_s).total_s
