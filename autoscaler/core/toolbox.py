"""What the engine needs of other rooms, as types: it is handed in, so that the core imports neither strategies nor CEL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.guards.case import Holds
from autoscaler.core.policy import StrategySpec
from autoscaler.core.proposals import Proposal
from autoscaler.core.snapshot import Snapshot


class Proposer(Protocol):
    """What the engine needs of a strategy."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]: ...


Forecaster = Callable[[Snapshot], Mapping[str, float]]


def no_forecast(snapshot: Snapshot) -> Mapping[str, float]:
    """For engines without a forecaster: nothing is foretold."""
    del snapshot
    return {}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Name and parameters to a strategy, CEL text to a predicate, a snapshot to a forecast."""

    build_strategy: Callable[[StrategySpec], Proposer]
    compile_condition: Callable[[str], Holds]
    forecast: Forecaster = no_forecast
