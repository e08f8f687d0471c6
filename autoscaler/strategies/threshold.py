"""Two marks per resource: above the upper one more is wanted, below the lower one less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import Statistic, count, fraction, ratio


@dataclass(frozen=True)
class Threshold:
    """Scale services out and in, and cloud VMs up and down, where a load has left the band between two marks."""

    subjects: Literal["both", "services", "cloud_vms"] = field(
        default="both", metadata={"doc": "what is scaled: `services` (out, in), `cloud_vms` (up, down), or `both`"}
    )
    cpu_up_fraction: float = fraction(0.8, "CPU load above which more is wanted")
    cpu_down_fraction: float = fraction(0.3, "CPU load below which less is wanted (if memory agrees)")
    memory_up_fraction: float = fraction(0.95, "memory load above which more is wanted")
    memory_down_fraction: float = fraction(0.8, "memory load below which less is wanted (if CPU agrees)")
    step_replicas: int = count(1, "replicas started or stopped at a time, per service")
    samples: int = count(3, parameters.SAMPLES_DOC)
    statistic: Statistic = field(default="mean", metadata={"doc": parameters.STATISTIC_DOC})
    memory_headroom_fraction: float = fraction(0.05, "memory kept free on a cloud VM of a new size")
    cpu_overcommit: float = ratio(4.0, parameters.OVERCOMMIT_DOC)

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return ()
