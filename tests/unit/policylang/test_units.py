"""Units at the door: what is taken, and what is said of what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from autoscaler.policylang.units import DURATION, MEMORY, PER_CENT, RATE, REAL, SHARE, WHOLE, Quantity


@pytest.mark.parametrize(
    ("unit", "written", "inside"),
    [
        (DURATION, "90s", 90.0),
        (DURATION, "1h30m", 5400.0),
        (DURATION, "1.5h", 5400.0),
        (DURATION, "250ms", 0.25),
        (DURATION, "2 d", 172800.0),
        (DURATION, 0, 0.0),
        (MEMORY, "512MiB", 512 * 2**20),
        (MEMORY, "1.5 GiB", 1.5 * 2**30),
        (MEMORY, "4GB", 4e9),
        (RATE, "1Gbit/s", 125e6),
        (RATE, "125MB/s", 125e6),
        (SHARE, "80%", 0.8),
        (SHARE, 0.8, 0.8),
        (SHARE, "12.5 %", 0.125),
        (PER_CENT, "25%", 25.0),
        (REAL, 3, 3.0),
        (WHOLE, 3.0, 3),
    ],
)
def test_what_is_taken(unit, written, inside):
    assert Quantity(unit).read(written) == pytest.approx(inside)


@pytest.mark.parametrize(
    ("quantity", "written", "said"),
    [
        (Quantity(DURATION), 180, "180 is without a unit; expected a duration such as 90s, 5m or 1h30m, at most 3650d"),
        (
            Quantity(DURATION, le=60),
            "5minutes",
            "'5minutes' is not a duration; expected a duration such as 90s, 5m or 1h30m, at most 1m; nearest: m",
        ),
        (
            Quantity(DURATION, le=60),
            "5m",
            "'5m' is out of range; expected a duration such as 90s, 5m or 1h30m, at most 1m",
        ),
        (
            Quantity(MEMORY),
            "1Gi",
            "'1Gi' is not an amount of memory; expected an amount of memory such as 512MiB or 4GiB; nearest: GiB",
        ),
        (
            Quantity(MEMORY),
            "1GiB 5",
            "'1GiB 5' is not an amount of memory; expected an amount of memory such as 512MiB or 4GiB",
        ),
        (
            Quantity(SHARE, ge=0, le=1),
            80,
            "80 is out of range; expected a share such as 80% or 0.8, at least 0% and at most 100% (did you mean 80%?)",
        ),
        (Quantity(WHOLE), True, "true is not a whole number; expected a whole number such as 3"),
        (Quantity(REAL, optional=True), "off", "'off' is not a number; expected a number such as 1.5, or none"),
    ],
)
def test_what_is_said_of_what_is_not(quantity, written, said):
    with pytest.raises(PydanticCustomError) as refused:
        quantity.read(written)
    assert refused.value.message() == said


def test_none_is_a_word():
    assert Quantity(DURATION, optional=True).read("none") is None
    assert Quantity(DURATION, optional=True, word="tick").read("tick") is None


@given(st.sampled_from([DURATION, MEMORY, RATE]), st.integers(min_value=1, max_value=10**6))
def test_what_is_shown_can_be_read_back(unit, value):
    assert Quantity(unit).read(unit.show(float(value))) == pytest.approx(value, rel=1e-3)
