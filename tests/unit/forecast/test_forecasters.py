"""Forecasters on load whose future is known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.forecast.choice import FORECASTERS, QUANTILES, pinball
from autoscaler.forecast.histogram import DecayingHistogram
from autoscaler.forecast.holt_winters import HoltWinters
from autoscaler.forecast.naive import LastValue, SeasonalNaive
from autoscaler.forecast.series import Series

STEP_S = 1800.0
DAY = 48
MEDIAN = np.array([0.5])


def days(count: int, noise: float = 0.0, growth: float = 0.0, seed: int = 1) -> Series:
    """A daily wave between 2 and 10 cores."""
    at = np.arange(count * DAY)
    wave = 6 + 4 * np.sin(2 * np.pi * at / DAY) + growth * at / DAY
    return Series(np.maximum(wave + np.random.default_rng(seed).normal(0, noise, len(at)), 0.0), STEP_S)


def test_a_gap_is_filled_with_the_value_before_it() -> None:
    series = Series(np.array([np.nan, 2.0, np.nan, 3.0, np.nan]), STEP_S)
    assert series.known.tolist() == [2.0, 2.0, 2.0, 3.0, 3.0]
    assert series.missing_fraction == 0.6


def test_the_last_value_is_as_wide_as_changes_were() -> None:
    series = Series(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), STEP_S)
    told = LastValue().fit(series).predict(2, np.array([0.0, 1.0]))
    assert told.tolist() == [[1.0, 3.0], [2.0, 2.0]]  # one step: up or down by 1; two steps: no change


def test_the_proportional_is_as_wide_as_changes_were_of_what_they_changed_from() -> None:
    """Up by a half, down by a third: of 40 that is 20, where half of all changes were by 1."""
    series = Series(np.array([*([2.0, 3.0] * 20), *([20.0, 30.0] * 20), 40.0]), STEP_S)
    low, high = LastValue(proportional=True).fit(series).predict(1, np.array([0.1, 0.9]))[0]
    assert low == pytest.approx(40.0 * 2 / 3)
    assert high == pytest.approx(60.0)


def test_near_zero_the_proportional_does_not_take_a_change_for_a_multiple() -> None:
    series = Series(np.array([0.0, 10.0] * 20 + [0.0]), STEP_S)
    told = LastValue(proportional=True).fit(series).predict(2, QUANTILES)
    assert np.isfinite(told).all()
    assert told.max() <= 10.0 + 1e-9


def test_the_seasonal_naive_repeats_yesterday() -> None:
    series = days(3)
    told = SeasonalNaive().fit(series).predict(DAY + 5, MEDIAN)[:, 0]
    assert told == pytest.approx(np.resize(series.values[-DAY:], DAY + 5))


def test_a_season_needs_to_have_been_seen_twice() -> None:
    with pytest.raises(ValueError, match="two seasons are needed"):
        SeasonalNaive().fit(days(1)).predict(1, MEDIAN)


def test_the_histogram_forgets_by_half_lives() -> None:
    old, new = np.full(DAY, 8.0), np.full(DAY, 1.0)
    told = DecayingHistogram(half_life_s=DAY * STEP_S / 4).fit(Series(np.concatenate([old, new]), STEP_S))
    low, high = told.predict(1, np.array([0.5, 0.99]))[0]
    assert low == pytest.approx(1.0, rel=0.05)  # the old day weighs a sixteenth of the new one
    assert high == pytest.approx(8.0, rel=0.05)


def test_holt_winters_follows_season_and_growth() -> None:
    series = days(8, growth=0.5)
    told = HoltWinters().fit(series).predict(DAY, MEDIAN)[:, 0]
    truth = days(9, growth=0.5).values[-DAY:]
    assert np.abs(told - truth).max() < 0.6


def test_boosted_trees_beat_the_naive_ones_on_a_noisy_day() -> None:
    series, steps = days(40, noise=0.8), 6
    losses = dict.fromkeys(("last_value", "seasonal_naive", "boosting"), 0.0)
    for end in range(37 * DAY, 39 * DAY, 7):
        for name in losses:
            told = (FORECASTERS[name]()).fit(series.until(end))
            losses[name] += pinball(series.values[end : end + steps], told.predict(steps, QUANTILES), QUANTILES)
    assert losses["boosting"] < min(losses["last_value"], losses["seasonal_naive"])


@pytest.mark.parametrize("name", FORECASTERS)
def test_quantiles_ascend_are_not_negative_and_come_out_the_same_twice(name: str) -> None:
    series = days(15, noise=3.0)
    first = FORECASTERS[name]().fit(series).predict(8, QUANTILES)
    assert first.shape == (8, 3)
    assert (np.diff(first, axis=1) >= 0).all()
    assert (first >= 0).all()
    assert first.tolist() == FORECASTERS[name]().fit(series).predict(8, QUANTILES).tolist()


def test_pinball_by_hand() -> None:
    told = np.array([[1.0, 3.0]])  # the truth is 2: one below by 1, one above by 1
    assert pinball(np.array([2.0]), told, np.array([0.5, 0.9])) == pytest.approx((0.5 * 1 + 0.1 * 1) / 2)


@pytest.mark.parametrize("name", FORECASTERS)
def test_going_on_is_as_fitting_to_all_but_for_what_was_learned(name: str) -> None:
    """Fitted to most of it, all tell nearly the same; the histogram, which learns at once, exactly."""
    series, steps = days(16, noise=0.3), 5
    resumed = FORECASTERS[name]().fit(series.until(15 * DAY)).resume(series).predict(steps, QUANTILES)
    anew = FORECASTERS[name]().fit(series).predict(steps, QUANTILES)
    assert resumed == pytest.approx(anew, abs=1e-9 if name == "histogram" else 1.0)


def test_trees_need_no_week() -> None:
    told = FORECASTERS["boosting"]().fit(days(5)).predict(3, QUANTILES)
    assert told[:, 0] == pytest.approx(days(6).values[5 * DAY : 5 * DAY + 3], abs=0.7)
