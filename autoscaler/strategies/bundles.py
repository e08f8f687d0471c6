"""Releases with the moves that make room for them: of a plan that saves, nobody moves but for a cloud VM that is given back.

Separate from `actions`, which says which action a packing is for each cloud VM: wished for one by one, moves that only make
room were granted at once and the releases later or never, and the next plan moved the same app VMs again. No guard's rule
may be here; whether there is room is asked of the packing's own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.proposals import Consolidate, Proposal, Separate
from autoscaler.core.snapshot import NOWHERE, FloatArray, IntArray
from autoscaler.packing.problem import Problem

ROUNDING = 1e-6  # of a bin's capacity


@dataclass(frozen=True, slots=True)
class Wish:
    """A proposal, and which items it moves to cloud VMs that are there."""

    proposal: Proposal
    items: tuple[int, ...]

    @property
    def makes_room(self) -> bool:
        return isinstance(self.proposal, Separate) and self.proposal.new_size is None


class Ground:
    """What is free in the cloud VMs that are there, as wishes are carried out one after the other."""

    def __init__(self, problem: Problem, place: IntArray) -> None:
        here = np.flatnonzero(problem.present != NOWHERE)
        self._problem, self._place = problem, place
        self._free = problem.bin_capacity.copy()
        np.subtract.at(self._free, problem.present[here], problem.demand[here])

    def after(self, items: Sequence[int]) -> FloatArray:
        """(bins, r) free once `items` are where they go."""
        problem, rows, free = self._problem, np.array(items, dtype=np.int64), self._free.copy()
        np.subtract.at(free, self._place[rows], problem.demand[rows])
        np.add.at(free, problem.present[rows], problem.demand[rows])
        return free

    def short(self, items: Sequence[int]) -> set[int]:
        """Cloud VMs that `items` go to and that could not hold them."""
        targets = np.unique(self._place[np.array(items, dtype=np.int64)])
        lacking = (self.after(items)[targets] < -ROUNDING * self._problem.bin_capacity[targets]).any(axis=1)
        return set(targets[lacking].tolist())

    def carry_out(self, items: Sequence[int]) -> None:
        self._free = self.after(items)


def bundled(problem: Problem, place: IntArray, wishes: Sequence[Wish]) -> list[Wish]:
    """`wishes` with everybody who only makes room in the proposal that needs it, or left out. Releases that no such moves
    suffice for (they wait for a cloud VM to be rented) come last, as they are."""
    ground, spare = Ground(problem, place), [wish for wish in wishes if wish.makes_room]
    releases = [wish for wish in wishes if isinstance(wish.proposal, Consolidate)]
    ordered = [wish for wish in wishes if not wish.makes_room and wish not in releases]
    while releases:
        found = next((w for w in releases if not ground.short(w.items)), None)
        if found is not None:
            chosen, helpers = found, list[Wish]()
        else:
            tried = ((w, _helpers(ground, w, problem, spare)) for w in releases)
            pair = next(((w, h) for w, h in tried if h is not None), None)
            if pair is None:
                break
            chosen, helpers = pair
        releases.remove(chosen)
        spare = [wish for wish in spare if wish not in helpers]
        ordered.append(_together(chosen, helpers))
        ground.carry_out(ordered[-1].items)
    return [*ordered, *releases]


def _helpers(ground: Ground, release: Wish, problem: Problem, spare: Sequence[Wish]) -> list[Wish] | None:
    """Whose moves make room for `release`, and room for those; None: all of them do not suffice."""
    helpers, items = list[Wish](), release.items
    while short := ground.short(items):
        more = [w for w in spare if w not in helpers and int(problem.present[w.items[0]]) in short]
        if not more:
            return None
        helpers += more
        items += tuple(item for wish in more for item in wish.items)
    return helpers


def _together(release: Wish, helpers: Sequence[Wish]) -> Wish:
    if not helpers or not isinstance(release.proposal, Consolidate):
        return release
    moves = [move for wish in helpers if isinstance(wish.proposal, Separate) for move in wish.proposal.moves]
    reason = release.proposal.reason.replace("fit elsewhere", f"fit elsewhere once {len(moves)} others made room", 1)
    proposal = replace(release.proposal, moves=(*release.proposal.moves, *moves), reason=reason)
    return Wish(proposal, release.items + tuple(item for wish in helpers for item in wish.items))
