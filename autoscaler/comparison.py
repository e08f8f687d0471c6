"""A second policy beside the first: it sees the same observations, decides for itself, acts on nothing, and is compared.

Separate from the loop because the first loop must not know of it: it is one more watcher. Nothing the second one does or
suffers may reach the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from autoscaler.core.audit import AuditRecord
from autoscaler.core.events import Command, Event, Observed, OperatorSaid, PolicyChanged, Record
from autoscaler.core.policy import Policy
from autoscaler.core.proposals import Proposal
from autoscaler.errors import FlexCapsuleError
from autoscaler.runtime import Loop


@dataclass(frozen=True, slots=True)
class Difference:
    """One tick on which the two would not have done the same. A record is None where that policy did not decide then."""

    at: float
    first: AuditRecord | None
    second: AuditRecord | None
    only_first: tuple[Proposal, ...]
    only_second: tuple[Proposal, ...]


class Relay:
    """A Source that passes on what it is told: how the second loop hears of the first one's events."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def tell(self, event: Event) -> None:
        self._events.append(event)

    def read(self, now: float) -> Iterator[Event]:
        del now
        events, self._events = self._events, []
        yield from events


class Comparison:
    """A watcher of the first loop that drives the second one. `agreed`, `differed`: ticks on which either decided;
    `failed`: why the second one is not asked any more, empty while it is."""

    def __init__(self, second: Loop, relay: Relay, on_difference: Callable[[Difference], None]) -> None:
        self.second, self.agreed, self.differed, self.failed = second, 0, 0, ""
        self._relay, self._on_difference = relay, on_difference

    def begin(self, policy: Policy, now: float) -> None:
        """Recover the second loop and let it decide by `policy`."""
        self.second.recover(now)
        self._relay.tell(PolicyChanged(now, policy))

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        if self.failed or not isinstance(event, Observed | OperatorSaid):
            return
        self._relay.tell(event)
        if not isinstance(event, Observed):
            return
        before = self.second.engine.state.last
        try:
            self.second.tick(now)
        except FlexCapsuleError as error:
            self.failed = str(error)
            return
        after = self.second.engine.state.last
        self._compare(event.at, _record(commands), None if after is before else after)

    def _compare(self, at: float, first: AuditRecord | None, second: AuditRecord | None) -> None:
        if first is None and second is None:
            return
        here, there = _granted(first), _granted(second)
        difference = Difference(at, first, second, _without(here, there), _without(there, here))
        if not difference.only_first and not difference.only_second:
            self.agreed += 1
            return
        self.differed += 1
        self._on_difference(difference)


def _record(commands: list[Command]) -> AuditRecord | None:
    return next((command.audit for command in commands if isinstance(command, Record)), None)


def _granted(audit: AuditRecord | None) -> tuple[Proposal, ...]:
    return audit.decision.granted if audit is not None else ()


def _without(wishes: tuple[Proposal, ...], others: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Those that `others` lacks. Why a wish is made, and on which figures, does not make it another wish."""
    left = [_bare(other) for other in others]
    return tuple(wish for wish in wishes if not _taken(_bare(wish), left))


def _taken(wish: Proposal, left: list[Proposal]) -> bool:
    if wish in left:
        left.remove(wish)
        return True
    return False


def _bare(wish: Proposal) -> Proposal:
    return replace(wish, reason="", evidence={})
