"""The day's table: means over seeds, and the range of bills that they come from."""

from __future__ import annotations

from benchmarks.day.__main__ import means, rows


def test_a_row_is_the_mean_of_its_seeds():
    found = list(rows("example", [1, 2], 30))
    (balanced,) = [row for row in means(found) if row["policy"] == "balanced"]
    costs = [row["cost"] for row in found if row["policy"] == "balanced"]
    assert len(costs) == 2
    assert balanced["cost"] == sum(costs) / 2
    assert balanced["costs"] == f"{min(costs):.2f} to {max(costs):.2f}"


def test_what_is_saved_is_saved_against_the_same_seed():
    found = list(rows("example", [3], 30))
    assert {row["saved_fraction"] for row in found if row["policy"] == "hold"} == {0.0}
