"""The experiment's constants: hosts, power, app VM types, time. Values only; each is CloudSim 3.0.3's (examples/power).

A *host* stands for a cloud VM. Capacity is in MIPS, memory in MB, as in the source; nothing outside this package sees them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.packing.places import Hosts
from autoscaler.packing.power import MEASURED_W, PowerCurves

HOSTS: Final = 800  # PlanetLabConstants
HOST_MIPS: Final = (1860.0, 2660.0)  # of one processor: HP ProLiant ML110 G4 and G5, alternating
HOST_PROCESSORS: Final = 2
HOST_MEMORY_MB: Final = 4096
POWER_W: Final = (MEASURED_W["ml110-g4"], MEASURED_W["ml110-g5"])
APP_MIPS: Final = (2500.0, 2000.0, 1000.0, 500.0)
APP_MEMORY_MB: Final = (870, 1740, 1740, 613)
MIGRATION_MB_PER_S: Final = 1_000_000 / (2 * 8000)  # half of 1 Gbit/s, the other half is the app VMs'
INTERVAL_S: Final = 300.0
SAMPLES: Final = 288  # of a day
BEGIN_S: Final = 0.1  # the first event; the decisions follow INTERVAL_S apart
END_S: Final = 86_400.0
SOURCE_SHARE: Final = 0.9  # of its MIPS while an app VM leaves
TARGET_SHARE: Final = 0.1  # of its MIPS where it arrives
METER_FORGIVES: Final = 1.01  # a load between 1 and this counts as 1
DURATIONS_S: Final = tuple(sorted({memory / MIGRATION_MB_PER_S for memory in APP_MEMORY_MB}))


def make_hosts(count: int = HOSTS) -> Hosts:
    """`count` hosts of alternating kind."""
    kind: IntArray = np.arange(count) % len(HOST_MIPS)
    processor: FloatArray = np.array(HOST_MIPS)[kind]
    return Hosts(kind, processor * HOST_PROCESSORS, processor, PowerCurves(POWER_W))


def app_types(count: int) -> IntArray:
    """(count,) type of each app VM: four blocks over the order of the files."""
    return np.asarray(np.arange(count) // -(-count // len(APP_MIPS)), dtype=np.int64)


def decision_times() -> list[float]:
    """Summed up one interval at a time, as an event-driven simulator does: the rounding is part of the result."""
    times, now = [], BEGIN_S + INTERVAL_S
    while now < END_S:
        times.append(now)
        now += INTERVAL_S
    return times
