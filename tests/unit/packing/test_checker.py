"""The checker finds every kind of fault in an answer that was right before, and is silent about the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.packing.checker import check
from autoscaler.packing.problem import Packing, Problem
from autoscaler.packing.solve import Answer, Effort, solve
from benchmarks.packing.instances import problem as made


def right() -> tuple[Problem, Packing, Answer]:
    """60 items with pins and pairs apart, and tenants on some."""
    problem = made(60, 3)
    tenant = problem.tenant.copy()
    tenant[:10] = np.arange(10) % 2
    problem = replace(problem, tenant=tenant)
    answer = solve(problem, Effort(trials=50))
    assert answer.packing is not None
    return problem, answer.packing, answer


def moved(packing: Packing, item: int, row: int) -> Packing:
    place = packing.place.copy()
    place[item] = row
    return Packing(place, packing.rented)


def test_the_right_answer_is_found_right() -> None:
    problem, packing, answer = right()
    verdict = check(problem, packing, answer.objective, answer.lower_bound, answer.proof)
    assert verdict.faults == ()
    assert verdict.confirmed
    assert verdict.objective == pytest.approx(answer.objective)
    assert verdict.own_bound <= answer.objective


Mutation = Callable[[Problem, Packing], tuple[Problem, Packing]]


def nowhere(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    return problem, moved(packing, 4, -1)


def beyond(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    return problem, moved(packing, 4, problem.bins + len(packing.rented))


def off_its_pin(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    item = int(np.flatnonzero(problem.pinned >= 0)[0])
    return problem, moved(packing, item, int((problem.pinned[item] + 1) % problem.bins))


def into_a_closed_bin(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    item = int(np.flatnonzero(packing.place != problem.present)[0])
    closed = problem.closed.copy()
    closed[packing.place[item] if packing.place[item] < problem.bins else 0] = True
    return replace(problem, closed=closed), moved(packing, item, int(np.flatnonzero(closed)[0]))


def two_to_be_apart(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    one = 5
    other = int(np.flatnonzero((packing.place == packing.place[one]) & (np.arange(60) != one))[0])
    return replace(problem, apart=np.array([[one, other]])), packing


def two_tenants(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    return problem, moved(packing, 0, int(packing.place[1]))


def too_much_memory(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    demand = problem.demand.copy()
    demand[7, 1] = problem.bin_capacity[:, 1].max() * 1.01
    return replace(problem, demand=demand), packing


def too_many_rented(problem: Problem, packing: Packing) -> tuple[Problem, Packing]:
    limit = problem.size_limit.copy()
    limit[0] = 1
    return replace(problem, size_limit=limit), Packing(packing.place, np.concatenate([packing.rented, [0, 0]]))


@pytest.mark.parametrize(
    ("mutate", "said"),
    [
        (nowhere, "in no bin"),
        (beyond, "in no bin"),
        (off_its_pin, "is pinned to"),
        (into_a_closed_bin, "which is closed"),
        (two_to_be_apart, "must be apart"),
        (two_tenants, "shared by tenants"),
        (too_much_memory, "of resource 1"),
        (too_many_rented, "are rented"),
    ],
)
def test_every_kind_of_fault_is_found(mutate: Mutation, said: str) -> None:
    problem, packing, answer = right()
    problem, packing = mutate(problem, packing)
    verdict = check(problem, packing, answer.objective, 0.0)
    assert any(said in fault for fault in verdict.faults), verdict.faults


def test_a_wrong_objective_and_a_wrong_bound_are_found() -> None:
    problem, packing, answer = right()
    cheaper = check(problem, packing, answer.objective * 0.99, 0.0)
    assert any("it costs" in fault for fault in cheaper.faults)
    too_high = check(problem, packing, answer.objective, answer.objective * 1.01, answer.proof)
    assert any("the bound" in fault for fault in too_high.faults)
    assert not too_high.confirmed


def test_an_answer_of_another_problem_is_refused() -> None:
    problem, packing, answer = right()
    with pytest.raises(ValueError, match="items"):
        check(problem, Packing(packing.place[:-1], packing.rented), answer.objective, 0.0)
