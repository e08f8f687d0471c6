"""Propose nothing: the control group that every other strategy is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot


@dataclass(frozen=True)
class Hold:
    """Leave everything as it is."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return ()
