"""The forecast that conditions may ask for: a line through the cluster's past, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.core.model import AppVM, CloudVM, CloudVMSize
from autoscaler.core.snapshot import CPU, MEMORY, Inventory, Snapshot
from autoscaler.forecast.trend import expected_usage, extended, totals

NAN = np.nan
SIZE = CloudVMSize("size", 10.0, 1000, 0.1)


def snapshot(cpu, memory=None, placement=None) -> Snapshot:
    window = np.array(cpu, dtype=float)
    app_vms = tuple(AppVM(f"a{row}") for row in range(len(window)))
    usage = {CPU: window, MEMORY: np.full_like(window, 100.0) if memory is None else np.array(memory, dtype=float)}
    where = np.zeros(len(window), dtype=np.int64) if placement is None else np.array(placement)
    return Snapshot(0.0, Inventory((SIZE,), (CloudVM("c", SIZE),), app_vms, ()), where, usage, np.zeros(len(window)))


def test_a_line_is_followed_for_half_a_window():
    foretold = expected_usage(snapshot([[1, 2, 3, 4, 5, 6]]))
    assert foretold["cpu"] == pytest.approx((6 + 3) / 10.0)
    assert foretold["memory"] == pytest.approx(0.1)


def test_what_falls_never_falls_below_nothing():
    assert expected_usage(snapshot([[5, 4, 3, 2, 1, 0.5]]))["cpu"] == 0.0


def test_lost_samples_count_as_the_one_before_and_newcomers_as_nothing_before_they_came():
    read = totals(snapshot([[1, NAN, 1, 1, NAN], [NAN, NAN, NAN, 2, 2]]), CPU)
    assert read.tolist() == [1, 1, 1, 3, 3]


def test_observations_before_the_first_sample_are_no_past():
    assert totals(snapshot([[NAN, NAN, 3, 4, 5]]), CPU).tolist() == [3, 4, 5]


def test_app_vms_that_run_nowhere_use_nothing():
    assert totals(snapshot([[1, 1], [2, 2]], placement=[0, -1]), CPU).tolist() == [1, 1]


@pytest.mark.parametrize("cpu", [[[NAN] * 6], [[NAN, NAN, 1, 2, 3, 4]]])
def test_too_little_past_foretells_nothing(cpu):
    assert "cpu" not in expected_usage(snapshot(cpu))


def test_the_line_is_that_of_numpy():
    past = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    assert extended(past, 4.0) == pytest.approx(float(np.polyval(np.polyfit(np.arange(6), past, 1), 9.0)))
