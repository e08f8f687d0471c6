"""Loss and silence, counted from what arrived; a connection watched over loopback against an echo that may misbehave."""

from __future__ import annotations

import pytest

from autoscaler.lab.heartbeat import Heard, heard


def test_a_steady_beat_has_no_loss_and_its_interval_as_gap() -> None:
    result = heard([(n * 0.005, n) for n in range(100)])
    assert (result.received, result.lost) == (100, 0)
    assert result.largest_gap_s == pytest.approx(0.005)


def test_a_pause_without_loss_is_a_gap_only() -> None:
    assert heard([(0.0, 0), (0.005, 1), (0.705, 2), (0.71, 3)]) == Heard(4, 0, 0.7, 0.005)


def test_missing_numbers_are_lost_wherever_they_are_missing() -> None:
    assert heard([(0.0, 5), (0.1, 7), (0.2, 10)]).lost == 3


def test_a_beat_heard_twice_counts_once() -> None:
    result = heard([(0.0, 1), (0.1, 2), (0.2, 2), (0.3, 3)])
    assert (result.received, result.lost) == (3, 0)


def test_beats_out_of_order_are_not_lost() -> None:
    assert heard([(0.0, 1), (0.1, 3), (0.2, 2), (0.3, 4)]).lost == 0


@pytest.mark.parametrize("arrivals", [[], [(0.0, 1)]])
def test_silence_is_an_endless_gap(arrivals) -> None:
    assert heard(arrivals).largest_gap_s == float("inf")
