"""Pack app VMs into fewer cloud VMs where load is low, and spread them where it is high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import Statistic, count, fraction, ratio


@dataclass(frozen=True)
class Consolidation:
    """Relieve overloaded cloud VMs by the quickest migrations that suffice; empty the least loaded where all fits elsewhere."""

    cpu_ceiling_fraction: float = fraction(0.85, "CPU load above which a cloud VM is overloaded and app VMs leave it")
    cpu_floor_fraction: float = fraction(0.5, "CPU load below which a cloud VM is underloaded and may be emptied")
    cpu_fill_fraction: float = fraction(
        0.7, "CPU load up to which a cloud VM is filled; below the ceiling, or they come back"
    )
    memory_fill_fraction: float = fraction(0.95, "share of its memory up to which a cloud VM is filled (by allocation)")
    samples: int = count(3, parameters.SAMPLES_DOC)
    statistic: Statistic = field(default="mean", metadata={"doc": parameters.STATISTIC_DOC})
    cpu_overcommit: float = ratio(4.0, parameters.OVERCOMMIT_DOC)

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return ()
