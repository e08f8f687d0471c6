"""What came of the wishes: granted, denied (by whom and why), or nothing attempted (why). Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.core.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Denial:
    """One guard's veto. `relax` names the smallest change that would lift it; `until`: when it lifts by itself (None: not)."""

    guard: str
    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    relax: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """A proposal with every veto against it; the first is the one counted."""

    proposal: Proposal
    denials: tuple[Denial, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What one tick came to. `abstained`: why nothing was even proposed (stale, no policy, the strategy failed), else empty."""

    id: str
    at: float
    policy: str
    granted: tuple[Proposal, ...] = ()
    denied: tuple[Denied, ...] = ()
    abstained: str = ""
