"""Seeded chance: one independent stream of random numbers per purpose and ordinal, so that nothing has to be remembered.

Separate because a restored world must meet the same luck as one that never stopped. A counter-based generator (Philox:
Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011) gives the numbers of any ordinal without drawing those
before it. No clock, no hash of a string, no global state may be here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

WORD = 1 << 64


class Purpose(IntEnum):
    """What a stream is for; the numbers of one purpose never shift those of another."""

    NOISE = 1
    STEP = 2
    SAMPLE = 3
    DEATH = 4
    SILENCE = 5


def stream(seed: int, purpose: Purpose, ordinal: int) -> np.random.Generator:
    """The random numbers of `purpose` for its `ordinal`-th use (a demand slot, a step, a cloud VM, a millisecond)."""
    key = np.array([seed % WORD, int(purpose)], dtype=np.uint64)
    counter = np.array([0, ordinal % WORD, 0, 0], dtype=np.uint64)  # word 0 counts within the stream
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
