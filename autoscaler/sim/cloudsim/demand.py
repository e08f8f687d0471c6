"""What each app VM asks for at each event of the experiment: the trace, interpolated between its samples.

Separate because it is all known before the first decision. No placement may be here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.sim.cloudsim import facts


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """times: (decisions,). mips[j]: (decisions, apps) at the decision (j = 0) and DURATIONS_S[j - 1] after it.
    memory, full_mips: (apps,). duration: (apps,) which j its migration ends at."""

    times: FloatArray
    mips: tuple[FloatArray, ...]
    load: FloatArray
    kind: IntArray
    full_mips: FloatArray
    memory: list[float]
    duration: IntArray

    def between(self, first: int, last: int) -> Asked:
        """Decisions `first` to `last`, end excluded."""
        mips = tuple(of_event[first:last] for of_event in self.mips)
        return replace(self, times=self.times[first:last], mips=mips, load=self.load[first:last])


def ask(percent: FloatArray) -> Asked:
    """From a trace: (SAMPLES, apps) CPU per cent; app VM types are dealt out over its columns."""
    kind = facts.app_types(percent.shape[1])
    full_mips = np.array(facts.APP_MIPS)[kind]
    memory = np.array(facts.APP_MEMORY_MB, dtype=np.float64)[kind]
    samples = np.ascontiguousarray(np.vstack((percent, percent[-1:])) / 100.0)  # one decision at a time is read
    times = np.array(facts.decision_times())
    loads = [_interpolate(samples, times + after_s) for after_s in (0.0, *facts.DURATIONS_S)]
    duration = 1 + np.searchsorted(facts.DURATIONS_S, memory / facts.MIGRATION_MB_PER_S)
    return Asked(
        times=times,
        mips=tuple(load * full_mips for load in loads),
        load=loads[0] * full_mips / full_mips,  # rounded as CloudSim rounds it: ties depend on it
        kind=kind,
        full_mips=full_mips,
        memory=memory.tolist(),
        duration=duration,
    )


def _interpolate(samples: FloatArray, times: FloatArray) -> FloatArray:
    """(times, apps); times are one interval apart, none falls on a sample."""
    first = int(times[0] // facts.INTERVAL_S)
    before, after = samples[first : first + len(times)], samples[first + 1 : first + 1 + len(times)]
    begin_s = np.arange(first, first + len(times)) * facts.INTERVAL_S
    return np.asarray(before + (after - before) / facts.INTERVAL_S * (times - begin_s)[:, None])
