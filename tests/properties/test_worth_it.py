"""The worth-it rule: more saved never turns yes to no, more disruption never turns no to yes, and approved moves never come round.

The last is shown on random clusters whose demand stands still: plans are carried out until none pays any more; each makes the whole
strictly cheaper, so that no placement comes back. (With demand that moves, cooldowns and budgets bound it: test_optimal_churn.py.)
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.snapshot import NOWHERE
from autoscaler.packing.problem import Packing, Problem, kept, moved, objective
from autoscaler.packing.solve import Effort, solve
from autoscaler.strategies.worth import pays
from benchmarks.packing.instances import problem as made
from benchmarks.packing.small import small_problem

HURDLE, LEAST = 2.0, 0.02
MOST_PLANS = 40
money, hurdles, shares = st.floats(0, 1e6), st.floats(1, 100), st.floats(0, 1)


@settings(max_examples=300, deadline=None)
@given(money, money, money, money, money, hurdles, shares)
def test_monotone_in_savings_and_antitone_in_disruption(saved, more, moving, further, bill, hurdle, least) -> None:
    if pays(saved, moving, bill, hurdle, least):
        assert pays(saved + more, moving, bill, hurdle, least)
    else:
        assert not pays(saved - further, moving + further, bill, hurdle, least)  # dearer moves leave less saved as well


@settings(max_examples=300, deadline=None)
@given(money, money, money, hurdles, shares)
def test_what_does_not_save_is_never_worth_it(saved, moving, bill, hurdle, least) -> None:
    assert not pays(-saved, moving, bill, hurdle, least)
    if pays(saved, moving, bill, hurdle, least):
        assert saved + moving >= hurdle * moving * (1 - 1e-9)
        assert saved >= least * bill


def carried_out(problem: Problem, packing: Packing) -> Problem:
    """The problem as it stands once the plan is done: released bins are gone, rented ones are there."""
    stays = np.flatnonzero(kept(problem, packing))
    row = np.full(problem.bins + len(packing.rented), NOWHERE)
    row[stays] = np.arange(len(stays))
    row[problem.bins :] = len(stays) + np.arange(len(packing.rented))
    bins = len(stays) + len(packing.rented)
    return replace(
        problem,
        present=row[packing.place],
        pinned=np.where(problem.pinned == NOWHERE, NOWHERE, row[problem.pinned]),
        bin_capacity=np.concatenate([problem.bin_capacity[stays], problem.size_capacity[packing.rented]]),
        bin_price=np.concatenate([problem.bin_price[stays], problem.size_price[packing.rented]]),
        closed=np.concatenate([problem.closed[stays], np.zeros(bins - len(stays), dtype=np.bool_)]),
        fixed=np.concatenate([problem.fixed[stays], np.zeros(bins - len(stays), dtype=np.bool_)]),
    )


def bills(problem: Problem) -> list[float]:
    """What standing still costs before the first plan and after each that was approved."""
    found = [_standing(problem)]
    for _ in range(MOST_PLANS):
        answer = solve(problem, Effort(boxes=50, exchanges=200, trials=20))
        if answer.packing is None:
            break
        moving = float(problem.move_cost[moved(problem, answer.packing)].sum())
        if not pays(found[-1] - answer.objective, moving, found[-1], HURDLE, LEAST):
            break
        problem = carried_out(problem, answer.packing)
        found.append(_standing(problem))
    return found


def _standing(problem: Problem) -> float:
    return objective(problem, Packing(problem.present, np.zeros(0, dtype=np.int64)))


@pytest.mark.parametrize("seed", range(40))
def test_approved_plans_on_small_clusters_end_and_never_come_round(seed: int) -> None:
    problem = small_problem(seed, most_items=6)
    if (problem.present == NOWHERE).any() or solve(problem).packing is None:
        problem = replace(problem, present=np.where(problem.present == NOWHERE, 0, problem.present))
        if not problem.bins:
            pytest.skip("nobody is anywhere: there is no plan that moves")
    seen = bills(problem)
    assert all(later < earlier for earlier, later in pairwise(seen))
    assert len(seen) <= MOST_PLANS


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_approved_plans_on_bigger_clusters_end_soon(seed: int) -> None:
    seen = bills(made(60, seed))
    assert len(seen) > 1, "a scattered cluster has something to gain"
    assert all(later < earlier for earlier, later in pairwise(seen))
    assert len(seen) <= 5
