"""The consolidation policies of the PlanetLab experiment: a detector of overload, a selection of who leaves, power-aware placement.

Beloglazov & Buyya, CCPE 24(13), 2012. `replay --world cloudsim` runs the same detectors, selections and placement straight
on arrays (28,000 moves a day; docs/decisions); this class makes proposals of them, for any other cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import FloatArray, Snapshot
from autoscaler.packing.overload import judge
from autoscaler.packing.pabfd import Turn
from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.selection import SELECTIONS, SelectionName
from autoscaler.strategies.parameters import ratio
from autoscaler.strategies.planetlab_turn import Moves, propose

Detector = Literal["none", "thr", "iqr", "mad", "lr"]
Power = Literal["scaled", "full"]


@dataclass(frozen=True)
class PlanetLab:
    """Relieve overloaded cloud VMs, then empty the least loaded ones; each app VM goes where power rises least."""

    detector: Detector = field(
        default="lr",
        metadata={
            "doc": "what overload is: CPU load above `safety` (`thr`); above 1 - `safety` x spread of the past, by "
            "interquartile range (`iqr`) or median absolute deviation (`mad`); forecast x `safety` of 100 % (`lr`, least "
            "squares through ten samples); `none`: nothing is ever moved"
        },
    )
    safety: float = field(
        default=1.2, metadata={"doc": "the detector's threshold or safety parameter", "gt": 0.0, "le": 100.0}
    )
    selection: SelectionName = field(
        default="mmt",
        metadata={
            "doc": "who leaves: quickest to move (`mmt`), least loaded (`mu`), most correlated with the others (`mc`)"
        },
    )
    memory_overcommit: float = ratio(1.0, "allocated memory per memory of a cloud VM that a placement may reach")
    power: Power = field(
        default="scaled",
        metadata={"doc": "how power is billed: by load (`scaled`), or as if always at 100 % (`full`, for comparison)"},
    )

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        if self.detector == "none":
            return ()
        return propose(snapshot, self.memory_overcommit, partial(self.turn, settled=True))

    def turn(self, hosts: Hosts, moment: Moment, window: FloatArray, *, settled: bool = False) -> tuple[Moves, Moves]:
        """Straight over arrays: the moves that relieve, and those that empty. `settled`: see pabfd."""
        if self.detector == "none":
            return [], []
        detects = judge(self.detector, self.safety)
        detects.look(moment.demand, window)
        return Turn(hosts, moment, detects, SELECTIONS[self.selection], settled=settled).moves()
