"""What is kept of a second policy's differences, for the screen, the status and the end of a run. Counting only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from autoscaler.telemetry.view import Beside

if TYPE_CHECKING:
    from autoscaler.comparison import Comparison, Difference
    from autoscaler.core.proposals import Proposal


class Differences:
    """Told of each difference; `show` passes it on to a screen."""

    def __init__(self, policy: str, show: Callable[[Difference], None]) -> None:
        self._policy, self._show = policy, show
        self._last: Difference | None = None
        self._only_first: Counter[str] = Counter()
        self._only_second: Counter[str] = Counter()

    def __call__(self, difference: Difference) -> None:
        self._last = difference
        self._only_first.update(str(wish.action) for wish in difference.only_first)
        self._only_second.update(str(wish.action) for wish in difference.only_second)
        self._show(difference)

    def view(self, comparison: Comparison) -> Beside:
        """For the status."""
        beside = Beside(self._policy, comparison.agreed, comparison.differed, comparison.failed)
        last = self._last
        if last is None:
            return beside
        return Beside(
            *(beside.policy, beside.agreed, beside.differed, beside.failed),
            last_at=last.at,
            only_first=titles(last.only_first),
            only_second=titles(last.only_second),
        )

    def report(self, comparison: Comparison) -> dict[str, Any]:
        """For the end of a run: counted since it began. `only_first`, `only_second`: action -> how often one alone granted it."""
        return {
            "policy": self._policy,
            "agreed": comparison.agreed,
            "differed": comparison.differed,
            "failed": comparison.failed,
            "only_first": dict(sorted(self._only_first.items())),
            "only_second": dict(sorted(self._only_second.items())),
        }


def titles(wishes: Iterable[Proposal]) -> tuple[str, ...]:
    """`2 x scale_in web`, in order of first appearance."""
    counts = Counter(f"{wish.action} {wish.key}" for wish in wishes)
    return tuple(f"{count} x {title}" if count > 1 else title for title, count in counts.items())
