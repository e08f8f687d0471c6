"""Consolidation that holds still: fill up to what demand rarely exceeds, move little, and only for what it saves.

The turn itself is array code (packing.steady), so that `replay --world cloudsim` can run the same one; this class makes
proposals of it for any other cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import FloatArray, Snapshot
from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.steady import Rule, SteadyTurn
from autoscaler.strategies.parameters import fraction, ratio
from autoscaler.strategies.planetlab_turn import Moves, propose


@dataclass(frozen=True)
class Steady:
    """Relieve what has too little, by the moves that lose the least work; empty what saves enough power for each move."""

    cpu_fill_fraction: float = fraction(0.9, "share of its CPU up to which a cloud VM is filled, `deviations` included")
    deviations: float = field(
        default=2.5,
        metadata={
            "doc": "standard deviations of what its app VMs want together that are kept free where one arrives",
            "ge": 0.0,
            "le": 10.0,
        },
    )
    newest_weight: float = fraction(0.5, "weight of the newest sample in expected demand; the rest is the mean before")
    cpu_ceiling_fraction: float = fraction(1.0, "CPU load above which app VMs leave a cloud VM")
    cpu_relieved_fraction: float = fraction(0.95, "CPU load down to which they leave; at most the ceiling")
    watts_per_move: float = field(
        default=8.0, metadata={"doc": "power that emptying a cloud VM must save for each of its migrations", "ge": 0.0}
    )
    memory_overcommit: float = ratio(1.0, "allocated memory per memory of a cloud VM that a placement may reach")

    def __post_init__(self) -> None:
        if self.cpu_relieved_fraction > self.cpu_ceiling_fraction:
            raise ValueError(
                f"cpu_relieved {self.cpu_relieved_fraction:.0%} must not be above cpu_ceiling "
                f"{self.cpu_ceiling_fraction:.0%}: who has just left would be missed"
            )

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        return propose(snapshot, self.memory_overcommit, self.turn)

    def turn(self, hosts: Hosts, moment: Moment, window: FloatArray) -> tuple[Moves, Moves]:
        """Straight over arrays: the moves that relieve, and those that empty."""
        rule = Rule(
            self.cpu_fill_fraction,
            self.deviations,
            self.newest_weight,
            self.cpu_ceiling_fraction,
            self.cpu_relieved_fraction,
            self.watts_per_move,
        )
        return SteadyTurn(hosts, moment, window, rule).moves()
