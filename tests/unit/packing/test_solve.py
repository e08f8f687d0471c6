"""The optimiser's promises: valid whenever it is stopped, the same for the same, no dearer where there is more freedom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.packing.balance import balance
from autoscaler.packing.bound import integral, linear
from autoscaler.packing.checker import check
from autoscaler.packing.construction import prices
from autoscaler.packing.problem import Packing, Problem, objective
from autoscaler.packing.relaxation import relax
from autoscaler.packing.solve import Effort, solve
from benchmarks.packing.instances import problem as made
from benchmarks.packing.rivals import from_present, from_scratch

QUICK = Effort(boxes=100, exchanges=200, trials=40)


def after(calls: int) -> Callable[[], bool]:
    """A `stop` that says so from the `calls`-th time on that it is asked."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= calls


def stays(problem: Problem) -> Packing:
    return Packing(problem.present, np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 5, 10, 40, 200])
def test_whenever_it_is_stopped_the_packing_is_valid(calls: int) -> None:
    problem = made(120, 7)
    answer = solve(problem, replace(QUICK, gap_fraction=0.0), stop=after(calls))
    assert answer.packing is not None
    verdict = check(problem, answer.packing, answer.objective, answer.lower_bound, answer.proof)
    assert verdict.faults == ()


def test_more_time_is_never_worse() -> None:
    problem = made(120, 7)
    costs = [solve(problem, replace(QUICK, gap_fraction=0.0), stop=after(calls)).objective for calls in (0, 30, 200)]
    assert costs == sorted(costs, reverse=True)


def test_the_same_problem_has_the_same_answer() -> None:
    one, other = solve(made(150, 2), QUICK), solve(made(150, 2), QUICK)
    assert one.packing is not None
    assert other.packing is not None
    assert np.array_equal(one.packing.place, other.packing.place)
    assert np.array_equal(one.packing.rented, other.packing.rented)
    assert (one.objective, one.lower_bound) == (other.objective, other.lower_bound)


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_400_items_are_within_one_per_cent_and_cheaper_than_best_fit_decreasing(seed: int) -> None:
    problem = made(400, seed)
    answer = solve(problem, Effort(trials=100))
    assert answer.gap_fraction <= 0.01
    assert answer.objective < min(objective(problem, rival(problem)) for rival in (from_present, from_scratch))


def test_an_outline_that_is_nearly_full_is_filled() -> None:
    """Best fit leaves a hundredth behind in each bin; this outline has a thousandth of its cores left."""
    problem = made(400, 5)
    relaxation = relax(problem)
    outline = integral(relaxation, 1000).outline
    assert outline is not None
    filling = balance(problem, outline.keep, outline.rent, prices(problem), 3000, np.random.default_rng(1))
    used = filling.capacity[filling.usable]
    assert (problem.demand.sum(axis=0) / used.sum(axis=0)).max() > 0.999
    assert not len(filling.unplaced())
    assert not len(filling.overfull())


def test_where_nothing_can_hold_an_item_there_is_no_answer() -> None:
    problem = made(60, 1)
    demand = problem.demand.copy()
    demand[3] = problem.size_capacity.max(axis=0) * 2
    assert solve(replace(problem, demand=demand), QUICK).packing is None


@settings(max_examples=15, deadline=None)
@given(
    items=st.integers(10, 60),
    seed=st.integers(0, 10**6),
    load=st.floats(0.3, 0.9),
    shut=st.floats(0.0, 0.3),
    tenants=st.integers(0, 3),
)
def test_any_answer_passes_the_checker(items: int, seed: int, load: float, shut: float, tenants: int) -> None:
    problem, luck = made(items, seed, load=load), np.random.default_rng(seed)
    problem = replace(
        problem,
        closed=luck.random(problem.bins) < shut,
        fixed=luck.random(problem.bins) < shut,
        tenant=luck.integers(-1, tenants, items) if tenants else problem.tenant,
    )
    answer = solve(problem, QUICK)
    if answer.packing is None:
        return
    verdict = check(problem, answer.packing, answer.objective, answer.lower_bound, answer.proof)
    assert verdict.faults == ()
    assert verdict.own_bound <= answer.objective * (1 + 1e-6)


@settings(max_examples=15, deadline=None)
@given(items=st.integers(10, 50), seed=st.integers(0, 10**6))
def test_the_bound_is_never_above_what_staying_costs_nor_falls_when_moving_gets_dearer(items: int, seed: int) -> None:
    problem = made(items, seed)
    bound = integral(relax(problem), 1000).value
    assert bound <= objective(problem, stays(problem)) * (1 + 1e-9)
    dearer = replace(problem, move_cost=problem.move_cost * 10)
    assert integral(relax(dearer), 1000).value >= bound * (1 - 1e-5)
    roomier = replace(problem, size_capacity=problem.size_capacity * 1.1, bin_capacity=problem.bin_capacity * 1.1)
    assert linear(relax(roomier)).value <= linear(relax(problem)).value * (1 + 1e-6)


def test_fifty_milliseconds_give_a_valid_packing_no_worse_than_staying() -> None:
    """A clock of the processor's time, so that a busy machine fails nobody; HiGHS hears it, too."""
    problem, begun = made(1000, 1), time.process_time()
    answer = solve(problem, stop=lambda: time.process_time() - begun >= 0.05)
    took_s = time.process_time() - begun
    assert answer.packing is not None
    assert check(problem, answer.packing, answer.objective, answer.lower_bound, answer.proof).faults == ()
    assert answer.objective <= objective(problem, stays(problem))
    assert took_s < 0.25
