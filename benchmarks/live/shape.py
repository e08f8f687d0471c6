"""What clients ask for over time: straight lines between points, in cores, the same again every cycle. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

START_UP_S = 60.0  # up to here the standard cycle leaves time for everything that is decided in it
STRETCH_MOST = 2.0  # a single cycle of 16 minutes: still under 20 in all
STRETCH_LEAST_SHORT = 0.75  # six minutes: up to 45 s of start-up, below which fixed times (cooldowns, samples) reign
Points = tuple[tuple[float, float], ...]  # (seconds into the cycle, cores)


@dataclass(frozen=True, slots=True)
class Shape:
    """`services`: each begins at 0 s and ends at `cycle_s` with the same value, so that cycles join."""

    services: Mapping[str, Points]
    cycle_s: float
    cycles: int

    @property
    def length_s(self) -> float:
        return self.cycle_s * self.cycles

    def cores(self, service: str, at_s: float) -> float:
        """Asked for at `at_s` after the start; nothing before and after."""
        if not 0 <= at_s < self.length_s:
            return 0.0
        into = at_s % self.cycle_s
        for (left, low), (right, high) in pairwise(self.services[service]):
            if left <= into <= right:
                return low + (high - low) * (into - left) / max(right - left, 1e-9)
        return self.services[service][-1][1]

    def phase(self, at_s: float) -> str:
        """For people: rising, busy, falling or idle."""
        now, soon = (sum(self.cores(name, at) for name in self.services) for at in (at_s, at_s + 5.0))
        if abs(soon - now) > 0.01:
            return "rising" if soon > now else "falling"
        quiet = sum(points[0][1] for points in self.services.values())
        return "idle" if now <= 1.5 * quiet else "busy"


# One replica of web is enough at first; a second has to run apart from it. At the peak a small cloud VM is too small for one
# replica alone; it could serve all of it all the same, if slowly, so that no request need fail while more is made. After it a large one
# is well below the mark at which a small one would do, also where requests cost a fifth more than they ask for, and two replicas are still
# wanted. Levels were chosen in the simulated cluster (world.yaml here has the same curve), with cloud VMs that take from 40 to 110 s to
# start: all six actions come in each of five seeds.
WEB: Points = (
    (0, 0.05),
    (20, 0.05),
    (80, 0.44),
    (140, 0.44),
    (160, 0.8),
    (260, 0.8),
    (280, 0.38),
    (380, 0.38),
    (410, 0.05),
    (480, 0.05),
)
API: Points = ((0, 0.05), (20, 0.05), (80, 0.2), (280, 0.2), (300, 0.05), (480, 0.05))


def standard(cycles: int, stretch: float = 1.0) -> Shape:
    """`stretch`: how many times as long everything takes, for machines on which a cloud VM is slow to start."""
    services = {"web": WEB, "api": API}
    longer = {name: tuple((at * stretch, cores) for at, cores in points) for name, points in services.items()}
    return Shape(longer, 480.0 * stretch, cycles)


def fitting(start_up_s: float, *, short: bool) -> Shape:
    """The load for a machine that takes so long to start a cloud VM: two cycles, or one that is as slow as the machine; short:
    one that is as quick as the machine, too."""
    stretch = min(max(start_up_s / START_UP_S, STRETCH_LEAST_SHORT if short else 1.0), STRETCH_MOST)
    return standard(1 if short or stretch > 1.0 else 2, stretch)
