"""The plans that `optimal` weighed, as they are told: what each would do, what it costs, and which constraint bound it.

Separate from the decision, which compares money; this only puts in words what was compared, for `explain`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autoscaler.core.proposals import Alternative
from autoscaler.core.snapshot import NOWHERE, Snapshot
from autoscaler.packing.problem import Packing, Problem, kept, moved, objective
from autoscaler.packing.solve import Answer
from autoscaler.strategies.question import Question

SLACK = 1 + 1e-9  # sums of floats may differ in the last digit
MIB = float(1 << 20)


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Puts in words what was weighed on one snapshot. `question`: as it was asked of the optimiser."""

    snapshot: Snapshot
    question: Question

    def relieving(self, found: Answer) -> tuple[Alternative, ...]:
        """Somebody has to leave: the relief that was taken, the next best, and why nobody can just stay."""
        problem = self.question.problem
        staying = Alternative(
            "stay as it is", objective(problem, self.question.stay), next(self._broken(problem), "is not allowed")
        )
        return (*self._found(found), *self._next(found), staying)

    def taking(self, found: Answer, now: float) -> tuple[Alternative, ...]:
        """A plan that pays was taken."""
        staying = Alternative("stay as it is", now, f"costs {now - found.objective:.4f} more")
        return (*self._found(found), *self._next(found), staying)

    def staying(
        self, chosen: Packing, price: float, found: Answer, needed: tuple[float, float, float]
    ) -> tuple[Alternative, ...]:
        """Moving does not pay: `chosen` moves nobody. `needed`: what `found` saves, what its moving costs (`moving`), and the
        least that it would have to save."""
        saved, moving, least = needed
        why_not = (
            f"saves {saved:.4f}, {least:.4f} is needed ({moving:.4f} for moving, times hurdle - 1; or least_saving)"
        )
        assert found.packing is not None
        told = self._told(chosen)
        taken = Alternative("stay as it is" if told == NOTHING else told, price)
        if saved <= 0 or not moved(self.question.problem, found.packing).any():
            return (taken, *self._next(found))
        return taken, Alternative(self._told(found.packing), found.objective, why_not)

    def hopeless(self, chosen: Packing, price: float, found: Answer) -> tuple[Alternative, ...]:
        """Nothing was looked for, as no plan can save enough."""
        told = self._told(chosen)
        why_not = f"saves at most {found.objective - found.lower_bound:.4f}, less than least_saving asks for"
        return (
            Alternative("stay as it is" if told == NOTHING else told, price),
            Alternative("any plan that moves somebody", found.lower_bound, why_not),
        )

    def _found(self, found: Answer) -> Iterator[Alternative]:
        if found.packing is not None:
            yield Alternative(self._told(found.packing), found.objective)

    def _next(self, found: Answer) -> Iterator[Alternative]:
        """The optimiser's runner-up."""
        if found.runner_up is not None and moved(self.question.problem, found.runner_up).any():
            cost = objective(self.question.problem, found.runner_up)
            yield Alternative(self._told(found.runner_up), cost, f"costs {cost - found.objective:.4f} more")

    def _told(self, packing: Packing) -> str:
        """`4 app VMs move, cloud-2 released, 1 medium rented`, as far as there is something of it."""
        problem, sizes = self.question.problem, self.snapshot.catalogue
        moves = int(moved(problem, packing).sum())
        gone = [self.snapshot.cloud_vms[row].id for row in np.flatnonzero(~kept(problem, packing)).tolist()]
        rented = Counter(sizes[size].name for size in packing.rented.tolist())
        parts = [f"{moves} app VM{'s move' if moves > 1 else ' moves'}"] if moves else []
        if gone:
            parts.append(f"{gone[0]} released" if len(gone) == 1 else f"{len(gone)} cloud VMs released")
        parts += [f"{count} {name} rented" for name, count in rented.items()]
        return ", ".join(parts) or NOTHING

    def _broken(self, problem: Problem) -> Iterator[str]:
        """Why not all can stay: the cloud VM that is furthest over what newcomers and residents may use, then company."""
        placed, clouds = problem.present != NOWHERE, self.snapshot.cloud_vms
        used = np.zeros_like(problem.bin_capacity)
        np.add.at(used, problem.present[placed], problem.demand[placed])
        over = used / np.maximum(problem.bin_capacity, 1e-300)
        if (used > problem.bin_capacity * SLACK).any():
            row, resource = (int(place) for place in np.unravel_index(int(np.argmax(over)), over.shape))
            what, factor = RESOURCES[resource]
            wanted, offered = float(used[row, resource]) / factor, float(problem.bin_capacity[row, resource]) / factor
            yield f"{clouds[row].id} would need {wanted:.4g} {what}, {offered:.4g} may be used: {wanted - offered:.4g} more would do"
        for one, other in problem.apart.tolist():
            if problem.present[one] == problem.present[other] != NOWHERE:
                mine, theirs = (self.snapshot.app_vms[self.question.rows[item]].id for item in (one, other))
                yield f"{mine} must stay apart from {theirs} on {clouds[problem.present[one]].id}"
        for row in range(problem.bins):
            inside = np.unique(problem.tenant[problem.present == row])
            if len(inside[inside != NOWHERE]) > 1:
                yield f"tenants share {clouds[row].id}"


NOTHING = "nobody moves"
RESOURCES = (("cores of CPU", 1.0), ("MiB of memory", MIB), ("cores allocated", 1.0))
