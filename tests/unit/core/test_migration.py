"""The pre-copy model on paper, and the same for many at once."""

import numpy as np
import pytest

from autoscaler.core.migration import predict, predict_all


def test_an_idle_app_vm_is_copied_once_and_pauses_for_the_hand_over():
    assert predict(125e6, 0.0, 125e6).total_s == pytest.approx(1.0 + 1.0 + 0.2)
    assert predict(125e6, 0.0, 125e6).downtime_s == pytest.approx(0.2)
    assert predict(125e6, 0.0, 125e6).sent_bytes == 125e6


def test_half_the_bandwidth_dirtied_halves_what_is_left_in_each_of_five_rounds():
    predicted = predict(125e6, 62.5e6, 125e6)
    assert predicted.downtime_s == pytest.approx(0.2 + 1 / 32)
    assert predicted.total_s == pytest.approx(1.0 + 31 / 16 + 0.2 + 1 / 32)


def test_dirtying_faster_than_copying_ends_in_a_pause_of_all_memory():
    assert predict(125e6, 500e6, 125e6).downtime_s == pytest.approx(0.2 + 1.0)


def test_for_many_at_once_the_figures_are_the_same():
    chance = np.random.default_rng(1)
    memory, dirty = chance.uniform(1e5, 1e9, 200), chance.uniform(0, 3e8, 200) * (chance.random(200) < 0.8)
    each, all_ = [predict(m, d, 125e6) for m, d in zip(memory, dirty, strict=True)], predict_all(memory, dirty, 125e6)
    for figure in ("total_s", "downtime_s", "sent_bytes"):
        assert getattr(all_, figure) == pytest.approx([getattr(one, figure) for one in each])
