"""The first packing: staying where that is one, and the short way of asking whether a bin takes an item."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.core.snapshot import NOWHERE
from autoscaler.packing.checker import check
from autoscaler.packing.construction import standing
from autoscaler.packing.filling import Filling
from autoscaler.packing.problem import Packing, objective
from benchmarks.packing.small import small_problem


@pytest.mark.parametrize("seed", range(60))
def test_whether_one_bin_takes_an_item_is_what_all_bins_say(seed: int) -> None:
    problem, luck = small_problem(seed), np.random.default_rng(seed)
    filling = Filling(problem, luck.integers(0, 3, 2))
    filling.usable[luck.random(len(filling.usable)) < 0.2] = False
    for item in luck.permutation(problem.items).tolist():
        fits = filling.fits(item)
        assert [filling.fits_in(item, row) for row in range(len(fits))] == fits.tolist()
        if fits.any():
            filling.put(item, int(luck.choice(np.flatnonzero(fits))))


def test_staying_is_a_packing_exactly_where_the_checker_finds_no_fault() -> None:
    said = []
    for seed in range(300):
        problem = small_problem(seed, most_items=4)
        if (problem.present == NOWHERE).any():
            assert standing(problem) is None
            continue
        stay = Packing(problem.present, np.zeros(0, dtype=np.int64))
        right = check(problem, stay, objective(problem, stay), 0.0).faults == ()
        assert (standing(problem) is not None) == right, seed
        said.append(right)
    assert True in said
    assert False in said
