"""Vetoes. A guard sees one proposal with its effect and may only refuse it, with a reason, the numbers, and what would help.

A guard never changes, reorders or improves a proposal (that is a strategy's work), and never looks at who proposed it.
All guards are on this page, in the order in which their vetoes are counted; adding one means one function and one line.
"""

from __future__ import annotations

from autoscaler.core.decision import Denial
from autoscaler.core.guards.budget import budget
from autoscaler.core.guards.case import Case, Guard
from autoscaler.core.guards.room import anti_affinity, capacity, headroom, isolation, pinning, replicas
from autoscaler.core.guards.state import condition, freshness, in_flight, paused, stuck
from autoscaler.core.guards.timing import cooldown, stabilization
from autoscaler.core.guards.worth import downtime_budget, worth_it

GUARDS: tuple[Guard, ...] = (
    paused,
    stuck,
    freshness,
    in_flight,
    condition,
    replicas,
    pinning,
    anti_affinity,
    isolation,
    capacity,
    headroom,
    stabilization,
    cooldown,
    budget,
    downtime_budget,
    worth_it,
)


def judge(case: Case) -> tuple[Denial, ...]:
    """Every veto against the case, in the order of GUARDS; none = granted."""
    return tuple(denial for guard in GUARDS if (denial := guard(case)) is not None)


__all__ = ["GUARDS", "Case", "Guard", "judge"]
