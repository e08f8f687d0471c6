"""Small problems: the optimiser's answer is the brute force's, and its bound is never above it."""

from __future__ import annotations

import pytest

from autoscaler.packing.bound import integral, linear
from autoscaler.packing.checker import check
from autoscaler.packing.problem import objective
from autoscaler.packing.relaxation import relax
from autoscaler.packing.solve import solve
from benchmarks.packing.small import cheapest, small_problem


@pytest.mark.parametrize("seed", range(150))
def test_a_small_problem_is_solved_to_the_optimum(seed: int) -> None:
    problem = small_problem(seed, most_items=6)
    best, answer = cheapest(problem), solve(problem)
    assert answer.exact
    assert answer.objective == pytest.approx(best, rel=1e-9)
    relaxation = relax(problem)
    assert linear(relaxation).value <= best * (1 + 1e-9)
    assert integral(relaxation, 1000).value <= best * (1 + 1e-9)
    if answer.packing is not None:
        assert objective(problem, answer.packing) == pytest.approx(best)
        assert check(problem, answer.packing, answer.objective, answer.lower_bound).confirmed  # by trying everything
