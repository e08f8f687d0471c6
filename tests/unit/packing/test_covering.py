"""The covering knapsack's two classic answers, and the better of them."""

import pytest

from autoscaler.packing.covering import cheapest_cover


@pytest.mark.parametrize(
    ("amounts", "costs", "enough", "chosen"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 9.0], 3.0, [1, 0]),  # 1 and 2 together cost less than 3 alone
        ([1.0, 2.0, 3.0], [5.0, 6.0, 9.0], 3.0, [2]),  # now 3 alone
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], 2.0, [0, 1]),  # ties by row
        ([0.2, 2.0], [0.1, 2.0], 2.0, [1]),  # the small one is cheap, and no help
        ([1.0, 1.0], [1.0, 1.0], 5.0, [0, 1]),  # not enough: all that can
        ([], [], 1.0, []),
    ],
)
def test_the_cheapest_cover(amounts, costs, enough, chosen):
    assert sorted(cheapest_cover(amounts, costs, enough)) == sorted(chosen)
