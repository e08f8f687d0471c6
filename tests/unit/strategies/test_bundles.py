"""Who only makes room moves with the release that needs it, or not at all."""

from __future__ import annotations

import numpy as np

from autoscaler.core.proposals import Consolidate, Move, Separate
from autoscaler.core.snapshot import NOWHERE
from autoscaler.packing.problem import Problem
from autoscaler.strategies.bundles import Wish, bundled


def problem(*bins: tuple[float, ...]) -> Problem:
    """Bins of 10, with items of these sizes in them."""
    present = np.repeat(np.arange(len(bins)), [len(items) for items in bins])
    n, b = len(present), len(bins)
    return Problem(
        demand=np.array([[size] for items in bins for size in items]),
        present=present,
        move_cost=np.zeros(n),
        bin_capacity=np.full((b, 1), 10.0),
        bin_price=np.ones(b),
        closed=np.zeros(b, dtype=np.bool_),
        fixed=np.zeros(b, dtype=np.bool_),
        size_capacity=np.zeros((0, 1)),
        size_price=np.zeros(0),
        size_limit=np.zeros(0, dtype=np.int64),
        pinned=np.full(n, NOWHERE),
        tenant=np.full(n, NOWHERE),
        apart=np.zeros((0, 2), dtype=np.int64),
    )


def leave(row: int, moves: dict[int, int]) -> Wish:
    return Wish(Separate(f"b{row}", _moves(moves), "leave"), tuple(moves))


def release(row: int, moves: dict[int, int]) -> Wish:
    return Wish(Consolidate(f"b{row}", _moves(moves), f"those of b{row} fit elsewhere"), tuple(moves))


def _moves(moves: dict[int, int]) -> tuple[Move, ...]:
    return tuple(Move(f"i{item}", f"b{target}") for item, target in moves.items())


def place(of: Problem, *wishes: Wish) -> np.ndarray:
    there = of.present.copy()
    for wish in wishes:
        for item, move in zip(wish.items, wish.proposal.moves, strict=True):
            there[item] = int(move.target[1:])
    return there


def test_a_release_takes_along_who_makes_room_for_it() -> None:
    of = problem((5.0, 3.0), (6.0,), (5.0,))
    wishes = leave(0, {1: 1}), release(2, {3: 0})
    (only,) = bundled(of, place(of, *wishes), wishes)
    assert only.proposal.key == "b2"
    assert only.proposal.moves == (Move("i3", "b0"), Move("i1", "b1"))
    assert only.items == (3, 1)
    assert only.proposal.reason == "those of b2 fit elsewhere once 1 others made room"


def test_room_is_made_for_those_who_make_room() -> None:
    """5 needs 3 away from b0, which needs 4 away from b1."""
    of = problem((5.0, 3.0), (4.0, 6.0), (5.0,), (2.0,))
    wishes = leave(0, {1: 1}), leave(1, {2: 3}), release(2, {4: 0})
    (only,) = bundled(of, place(of, *wishes), wishes)
    assert [move.app_vm for move in only.proposal.moves] == ["i4", "i1", "i2"]


def test_who_makes_room_for_nobody_stays() -> None:
    of = problem((5.0, 3.0), (6.0,), (2.0,))
    wishes = leave(0, {1: 1}), release(2, {3: 0})
    assert bundled(of, place(of, *wishes), wishes) == [wishes[1]]


def test_what_waits_for_a_cloud_vm_to_be_rented_comes_last_and_as_it_is() -> None:
    """b2's item fits nowhere yet: somebody of b0 is to leave for a rented one. b3's does."""
    of = problem((5.0, 3.0), (6.0,), (9.0,), (2.0,))
    rent = Wish(Separate("b0", (Move("i0", None), Move("i1", None)), "rent", {}, "large"), ())
    wishes = rent, release(2, {3: 0}), release(3, {4: 1})
    assert bundled(of, place(of, *wishes[1:]), wishes) == [rent, wishes[2], wishes[1]]
