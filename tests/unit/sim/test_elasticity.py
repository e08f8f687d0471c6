"""Elasticity metrics, worked out by hand."""

import numpy as np
import pytest

from autoscaler.sim.elasticity import elasticity

DEMAND = np.array([2.0, 4.0, 4.0, 1.0, 0.0])
SUPPLY = np.array([3.0, 3.0, 5.0, 5.0, 2.0])


def test_the_small_case_by_hand():
    # under: 0 1 0 0 0; over: 1 0 1 4 2; size 10, five steps
    found = elasticity(DEMAND, SUPPLY, size=10.0)
    assert found.accuracy_under == pytest.approx(1 / 50)
    assert found.accuracy_over == pytest.approx(8 / 50)
    assert found.theta_under == pytest.approx((1 / 4) / 5)
    assert found.theta_over == pytest.approx((1 / 2 + 1 / 4 + 4 / 1) / 5)  # the last step has no demand to divide by
    assert found.tau_under == pytest.approx(1 / 5)
    assert found.tau_over == pytest.approx(4 / 5)
    # changes of supply: 0 + 0 -; of demand: + 0 - -; supply above demand in sign at the 2nd and 3rd change
    assert found.instability == pytest.approx(2 / 4)


def test_supply_that_follows_demand_exactly_is_perfect():
    found = elasticity(DEMAND, DEMAND, size=4.0)
    assert set(vars_of(found)) == {0.0}


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 steps of demand, 1 of supply"):
        elasticity(np.ones(2), np.ones(1), 1.0)


def vars_of(found):
    return [getattr(found, name) for name in type(found).__slots__]
