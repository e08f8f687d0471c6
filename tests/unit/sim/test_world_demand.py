"""Demand shapes by hand, and demand as recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoscaler.sim.demand import RecordedDemand, ShapedDemand, flash_cores, weekday
from autoscaler.sim.example import example_scenario
from autoscaler.sim.founding import demand_of
from autoscaler.sim.scenario import MONDAY, DemandShape, Flash

HOUR_S = 3600.0


def demand(**shape):
    return ShapedDemand({"x": DemandShape(**shape)}, start_at=MONDAY, step_s=60.0, seed=1)


def at(shaped, hour):
    return float(shaped.at(MONDAY + hour * HOUR_S)[0])


def test_a_diurnal_swing_is_full_at_its_peak_and_gone_twelve_hours_away():
    shaped = demand(base_cores=1.0, swing_cores=4.0, peak_hour=14.0)
    assert [at(shaped, hour) for hour in (14, 2, 8, 20, 38)] == pytest.approx([5.0, 1.0, 3.0, 3.0, 5.0])


def test_weekends_are_different():
    shaped = demand(base_cores=2.0, weekend_factor=0.25)
    assert [at(shaped, 24 * day) for day in range(8)] == [2.0] * 5 + [0.5, 0.5, 2.0]
    assert weekday(MONDAY) == 0


def test_on_off_is_on_in_the_first_part_of_its_period():
    shaped = demand(burst_cores=3.0, burst_period_s=7200.0, burst_fraction=0.25, burst_offset_s=3600.0)
    assert [at(shaped, hour) for hour in (0.0, 1.0, 1.4, 1.5, 3.0, 3.5)] == [0.0, 3.0, 3.0, 0.0, 3.0, 0.0]


def test_a_flash_crowd_is_a_trapezium_that_may_come_back():
    once = Flash(at_s=100.0, cores=8.0, rise_s=10.0, hold_s=20.0, fall_s=40.0)
    assert [flash_cores(once, s) for s in (99, 100, 105, 110, 130, 150, 170, 500)] == [0, 0, 4, 8, 8, 4, 0, 0]
    again = Flash(at_s=100.0, cores=8.0, rise_s=0.0, hold_s=20.0, fall_s=0.0, every_s=1000.0)
    assert [flash_cores(again, s) for s in (99, 100, 119, 120, 1100)] == [0, 8, 8, 0, 8]


def test_noise_is_seeded_and_does_not_depend_on_the_order_of_asking():
    one, other = demand(base_cores=10.0, noise_fraction=0.1), demand(base_cores=10.0, noise_fraction=0.1)
    forward = [at(one, hour) for hour in range(24)]
    backward = [at(other, hour) for hour in reversed(range(24))]
    assert forward == backward[::-1]
    minutes = [at(one, minute / 60) for minute in range(1440)]
    assert np.mean(minutes) == pytest.approx(10.0, rel=0.02)
    assert np.std(minutes) == pytest.approx(1.0, rel=0.1)


def test_demand_is_constant_within_a_step():
    shaped = demand(base_cores=1.0, noise_fraction=0.2)
    assert shaped.at(MONDAY + 119.9) == shaped.at(MONDAY + 60.0)
    assert shaped.next_change(MONDAY + 60.0) == MONDAY + 120.0


def test_recorded_demand_is_read_by_step_and_its_last_one_stays():
    recorded = RecordedDemand(("x", "y"), np.array([[1.0, math.nan], [2.0, -1.0]]), start_at=100.0, step_s=300.0)
    assert recorded.at(100.0).tolist() == [1.0, 0.0]
    assert recorded.at(399.0).tolist() == [1.0, 0.0]
    assert recorded.at(400.0).tolist() == [2.0, 0.0]
    assert recorded.at(9999.0).tolist() == [2.0, 0.0]
    assert (recorded.next_change(100.0), recorded.next_change(400.0)) == (400.0, math.inf)


def test_recorded_demand_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="expected"):
        RecordedDemand(("x",), np.zeros((3, 2)), start_at=0.0, step_s=60.0)


def test_steps_that_are_no_round_numbers_never_stand_still():
    shaped = ShapedDemand({"x": DemandShape(base_cores=1.0)}, start_at=0.1, step_s=0.1, seed=1)
    now = 0.1
    for _ in range(1000):
        assert shaped.next_change(now) > now
        now = shaped.next_change(now)


def test_the_example_has_a_quiet_night_a_busy_day_and_a_flash_crowd():
    shaped = demand_of(example_scenario())
    total = [float(shaped.at(MONDAY + hour * HOUR_S).sum()) for hour in range(24)]
    assert max(total[:5]) < 8.0
    assert max(total) > 20.0
    assert total.index(max(total)) == 11
