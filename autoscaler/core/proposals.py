"""The six actions as typed wishes. A strategy makes them; guards may only refuse them; `effect` says what each would do.

Every proposal carries its reason and the numbers behind it from birth. `subjects` are the ids it is about: what a pause,
a cooldown or a stuck step on one of them blocks. `key` is what a stabilization window follows over time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from autoscaler.core.model import Action
from autoscaler.core.steps import Certificate

Evidence = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Move:
    """One app VM to another cloud VM; `target` None = the proposal's new cloud VM."""

    app_vm: str
    target: str | None


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """One more replica of `service`. Where is left to the planner unless `target` names a cloud VM; where none has room, one of
    size `new_size` is rented (None: of the cheapest that holds the replica)."""

    action: ClassVar[Action] = Action.SCALE_OUT
    service: str
    reason: str
    evidence: Evidence = field(default_factory=dict)
    target: str | None = None
    new_size: str | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.service,)

    @property
    def key(self) -> str:
        return self.service


@dataclass(frozen=True, slots=True)
class ScaleIn:
    """One replica of `service` less: `app_vm` is stopped."""

    action: ClassVar[Action] = Action.SCALE_IN
    service: str
    app_vm: str
    reason: str
    evidence: Evidence = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.service, self.app_vm)

    @property
    def key(self) -> str:
        return self.service


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """All app VMs of `cloud_vm` move to a new, bigger cloud VM of size `size`; the old one is released."""

    action: ClassVar[Action] = Action.SCALE_UP
    cloud_vm: str
    size: str
    reason: str
    evidence: Evidence = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def key(self) -> str:
        return self.cloud_vm


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """All app VMs of `cloud_vm` move to a new, smaller cloud VM of size `size`; the old one is released."""

    action: ClassVar[Action] = Action.SCALE_DOWN
    cloud_vm: str
    size: str
    reason: str
    evidence: Evidence = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm,)

    @property
    def key(self) -> str:
        return self.cloud_vm


@dataclass(frozen=True, slots=True)
class Consolidate:
    """The app VMs of `cloud_vm` move to others (`moves`, possibly none) and it is released. Moves of app VMs on other cloud
    VMs make room for them: wished for only together with the release that they serve."""

    action: ClassVar[Action] = Action.CONSOLIDATE
    cloud_vm: str
    moves: tuple[Move, ...]
    reason: str
    evidence: Evidence = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm, *(move.app_vm for move in self.moves))

    @property
    def key(self) -> str:
        return self.cloud_vm


@dataclass(frozen=True, slots=True)
class Separate:
    """Some app VMs of `cloud_vm` move away; those with target None to one new cloud VM of size `new_size`."""

    action: ClassVar[Action] = Action.SEPARATE
    cloud_vm: str
    moves: tuple[Move, ...]
    reason: str
    evidence: Evidence = field(default_factory=dict)
    new_size: str | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.cloud_vm, *(move.app_vm for move in self.moves))

    @property
    def key(self) -> str:
        return self.cloud_vm


Proposal = ScaleOut | ScaleIn | ScaleUp | ScaleDown | Consolidate | Separate


@dataclass(frozen=True, slots=True)
class Alternative:
    """A whole plan that the strategy weighed: what it would do, what that costs over the horizon (money, moving included), and
    why it was not taken, with the constraint that bound and by how much; empty: it was taken."""

    plan: str
    objective: float
    why_not: str = ""


class Advice(tuple[Proposal, ...]):  # noqa: SLOT001  a tuple has no room for named slots
    """Proposals with what can be proved of all of them together, and the plans that were weighed, best first; a strategy that
    proves nothing gives a plain sequence."""

    certificate: Certificate | None
    alternatives: tuple[Alternative, ...]

    def __new__(
        cls,
        proposals: Iterable[Proposal] = (),
        certificate: Certificate | None = None,
        alternatives: tuple[Alternative, ...] = (),
    ) -> Self:
        advice = super().__new__(cls, proposals)
        advice.certificate, advice.alternatives = certificate, alternatives
        return advice


def checked(wishes: Iterable[object]) -> tuple[Proposal, ...]:
    """What a strategy gave, if it is proposals that say why; raises TypeError or ValueError where it is not."""
    proposals: list[Proposal] = []
    for wish in wishes:
        if not isinstance(wish, Proposal):
            raise TypeError(f"proposed {wish!r:.80}, which is none of the six actions")
        if not wish.reason:
            raise ValueError(f"proposed {wish.action} of {wish.key} without a reason")
        proposals.append(wish)
    return tuple(proposals)
