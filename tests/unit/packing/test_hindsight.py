"""The clairvoyant's bill: what brute force finds for small needs, never more, and nothing where nothing is needed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoscaler.packing.hindsight import Sizes, least_cost

SIZES = Sizes(np.array([[2.0, 4.0], [4.0, 16.0], [16.0, 16.0]]), np.array([0.1, 0.22, 0.7]))


def by_trying(need: np.ndarray) -> float:
    counts = (np.array(c) for c in itertools.product(range(12), repeat=3))
    return min(float(c @ SIZES.price) for c in counts if (c @ SIZES.gives >= need - 1e-9).all())


@pytest.mark.parametrize("seed", range(12))
def test_a_moment_costs_what_trying_all_combinations_finds(seed):
    need = np.random.default_rng(seed).uniform(0.1, 20.0, 2)
    assert least_cost(SIZES, need[None], np.array([3600.0])) == pytest.approx(by_trying(need), rel=2e-6)


def test_moments_are_paid_for_as_long_as_they_last_and_nothing_costs_nothing():
    need = np.array([[2.0, 4.0], [0.0, 0.0], [4.0, 8.0]])
    assert least_cost(SIZES, need, np.array([1800.0, 3600.0, 900.0])) == pytest.approx(0.05 + 0.05, rel=1e-5)


def test_it_never_says_more_than_the_least():
    assert least_cost(SIZES, np.array([[2.0, 4.0]]), np.array([3600.0])) <= 0.1


def test_what_no_size_gives_cannot_be_bought():
    sizes = Sizes(np.array([[2.0, 0.0]]), np.array([0.1]))
    assert least_cost(sizes, np.array([[1.0, 1.0]]), np.array([1.0])) == np.inf
