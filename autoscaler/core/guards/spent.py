"""What each budget of a policy has given so far: found once per decision, grown by each grant.

Separate from the guard so that thousands of proposals do not each walk over an hour of grants. What is too much is the guard's
to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.core.ledger import Grant, Ledger
from autoscaler.core.policy import Limits


class Spent:
    """Grants that count against the budget of a number (its place in the policy), oldest first."""

    def __init__(self, limits: Limits, ledger: Ledger, now: float) -> None:
        self._budgets = limits.budgets
        self._all: list[list[Grant]] = [[] for _ in self._budgets]
        self._by_key: list[dict[str, list[Grant]]] = [{} for _ in self._budgets]
        for number, limit in enumerate(self._budgets):
            for grant in ledger.grants:
                if limit.per_s is not None and now - grant.at < limit.per_s:
                    self._count(number, grant)

    def add(self, grant: Grant) -> None:
        """Count what was just granted."""
        for number in range(len(self._budgets)):
            self._count(number, grant)

    def of(self, number: int) -> Sequence[Grant]:
        return self._all[number]

    def of_key(self, number: int, key: str) -> Sequence[Grant]:
        """Those of one subject."""
        return self._by_key[number].get(key, ())

    def _count(self, number: int, grant: Grant) -> None:
        if grant.action in self._budgets[number].actions:
            self._all[number].append(grant)
            self._by_key[number].setdefault(grant.key, []).append(grant)
