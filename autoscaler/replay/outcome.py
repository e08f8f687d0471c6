"""What a replay came to: a policy's score on a trace, and what happened when, for the report.

Separate from everything that measures so that a report or a tuner knows one shape. Values only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.replay.film import Film

Progress = Callable[[int], None]  # told how many ticks or decisions are done; what it raises ends the replay


def no_progress(done: int) -> None:
    """For replays nobody watches."""
    del done


@dataclass(frozen=True, slots=True)
class Happening:
    """One granted proposal (`what` an action), or an alert, on the time line."""

    at: float
    what: str
    about: str
    reason: str


@dataclass(slots=True)
class Timeline:
    """Per tick: time, cores asked for, offered, and not given; price per hour; cloud VMs by size; app VMs per cloud VM."""

    at: list[float] = field(default_factory=list)
    demand_cores: list[float] = field(default_factory=list)
    capacity_cores: list[float] = field(default_factory=list)
    unserved_cores: list[float] = field(default_factory=list)
    price_per_hour: list[float] = field(default_factory=list)
    sizes: list[Mapping[str, int]] = field(default_factory=list)
    placement: list[Mapping[str, int]] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`score`: figures by name, in an order that never changes; plain numbers. `complete`: not cut short by Ctrl-C.
    `film`: who was where, frame by frame. `simulation_s`: how long it took, reading excluded; not in the document, which is the same every time."""

    policy: str
    trace: str
    seed: int
    score: Mapping[str, float]
    timeline: Timeline = field(default_factory=Timeline)
    complete: bool = True
    film: Film | None = None
    simulation_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON-able values; the same replay gives the same bytes."""
        return {"policy": self.policy, "trace": self.trace, "seed": self.seed, "score": dict(self.score)}
