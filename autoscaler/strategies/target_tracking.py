"""Keep the load of each service's replicas at a target: the formula of the Kubernetes Horizontal Pod Autoscaler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.strategies import parameters
from autoscaler.strategies.parameters import count, fraction


@dataclass(frozen=True)
class TargetTracking:
    """As many replicas as ceil(replicas x load / target); with two targets, the larger number of the two."""

    cpu_target_fraction: float | None = fraction(0.6, "wanted CPU load of the replicas (used / allocated cores)")
    memory_target_fraction: float | None = fraction(None, "wanted memory load of the replicas; left out: not tracked")
    tolerance_fraction: float = fraction(0.1, "relative distance from the target within which nothing is done")
    samples: int = count(3, parameters.SAMPLES_DOC)

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return ()
