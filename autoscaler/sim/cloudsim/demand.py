"""What each app VM asks for at each event of the experiment: the trace, interpolated between its samples.

Separate because it is all known before the first decision. No placement may be here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.sim.cloudsim import facts

AT_ONCE = 1 << 15  # app VMs at decisions that are worked on together: a few megabytes


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """times: (decisions,). mips: (decisions, apps) at each. load: of full_mips, as CloudSim rounds it. samples: (SAMPLES + 1,
    apps) of the trace. memory, full_mips: (apps,). duration: (apps,) which event its migration ends at (see Stretch)."""

    times: FloatArray
    mips: FloatArray
    load: FloatArray
    samples: FloatArray
    kind: IntArray
    full_mips: FloatArray
    memory: FloatArray
    duration: IntArray

    def between(self, first: int, last: int) -> Stretch:
        """Decisions `first` to `last`, end excluded."""
        times = self.times[first:last]
        later = (interpolate(self.samples, times + after_s) * self.full_mips for after_s in facts.DURATIONS_S)
        return Stretch(times, (self.mips[first:last], *later), self.duration)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Some decisions, with the events between them. mips[j]: (decisions, apps) at the decision (j = 0) and
    DURATIONS_S[j - 1] after it: worked out for a few decisions at a time, because all of them are four times the trace."""

    times: FloatArray
    mips: tuple[FloatArray, ...]
    duration: IntArray


def ask(percent: FloatArray) -> Asked:
    """From a trace: (SAMPLES, apps) CPU per cent; app VM types are dealt out over its columns."""
    kind = facts.app_types(percent.shape[1])
    full_mips = np.array(facts.APP_MIPS)[kind]
    memory = np.array(facts.APP_MEMORY_MB, dtype=np.float64)[kind]
    samples = np.ascontiguousarray(np.vstack((percent, percent[-1:])) / 100.0)  # one decision at a time is read
    times = np.array(facts.decision_times())
    mips, load = np.empty((len(times), len(kind))), np.empty((len(times), len(kind)))
    several = max(1, AT_ONCE // len(kind))
    for first in range(0, len(times), several):
        rows = slice(first, first + several)
        mips[rows] = interpolate(samples, times[rows]) * full_mips
        load[rows] = mips[rows] / full_mips  # rounded as CloudSim rounds it: ties depend on it
    duration = 1 + np.searchsorted(facts.DURATIONS_S, memory / facts.MIGRATION_MB_PER_S)
    return Asked(
        times=times,
        mips=mips,
        load=load,
        samples=samples,
        kind=kind,
        full_mips=full_mips,
        memory=memory,
        duration=duration,
    )


def interpolate(samples: FloatArray, times: FloatArray) -> FloatArray:
    """(times, apps); times are one interval apart, none falls on a sample."""
    first = int(times[0] // facts.INTERVAL_S)
    before, after = samples[first : first + len(times)], samples[first + 1 : first + 1 + len(times)]
    begin_s = np.arange(first, first + len(times)) * facts.INTERVAL_S
    return np.asarray(before + (after - before) / facts.INTERVAL_S * (times - begin_s)[:, None])
