"""The long memory of services: steps of five minutes, whatever comes and goes in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import cluster, service

from autoscaler.adapters import codec
from autoscaler.core.history import History
from autoscaler.core.past import STEP_S, STEPS_MOST, Past

NAN = np.nan


def grown(*seen: tuple[float, list[float]], services=("web",)) -> Past:
    past = Past()
    for at, used in seen:
        past = past.extend(at, services, np.array(used))
    return past


def test_of_each_step_the_most_counts_and_the_step_that_is_not_over_is_none_yet() -> None:
    past = grown((600.0, [1.0]), (700.0, [3.0]), (899.0, [2.0]), (900.0, [5.0]), (1200.0, [4.0]))
    assert past.cores.tolist() == [[3.0, 5.0]]
    assert (past.newest.tolist(), past.begins_at) == ([4.0], 600.0)


def test_silence_is_no_demand_of_zero() -> None:
    past = grown((0.0, [1.0]), (4 * STEP_S, [2.0]))
    assert past.cores.tolist()[0] == pytest.approx([1.0, NAN, NAN, NAN], nan_ok=True)
    past = grown((0.0, [NAN]), (60.0, [2.0]), (STEP_S, [NAN]))
    assert past.cores.tolist() == [[2.0]]


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    past = grown((900.0, [1.0]), (0.0, [7.0]), (1200.0, [2.0]))
    assert past.cores.tolist() == [[7.0]]


def test_services_come_and_go_with_their_own_past() -> None:
    past = grown((0.0, [1.0, 2.0]), (STEP_S, [3.0, 4.0]), services=("a", "b"))
    past = past.extend(2 * STEP_S, ("b", "c"), np.array([5.0, 6.0]))
    assert past.cores[0].tolist() == [2.0, 4.0]
    assert np.isnan(past.cores[1]).all()


def test_it_is_bounded_however_long_nothing_came() -> None:
    past = grown((0.0, [1.0]), (1e9, [2.0]))
    assert past.cores.shape == (1, STEPS_MOST)
    assert past.extend(1e9 + STEP_S, ("web",), np.array([1.0])).cores[0, -1] == 2.0


def test_it_is_fed_by_observations_and_outlives_replicas_and_a_checkpoint() -> None:
    web = service("web")
    use = {"web-1": 0.5, "web-2": 0.25, "db": 1.0}
    first = cluster({"c1": ["web-1", "web-2", "db"]}, services=[web], cpu=use, at=600.0)
    later = cluster({"c1": ["web-3", "db"]}, services=[web], cpu={"web-3": 0.125}, at=900.0)
    lost = replace(later, at=1200.0, samples={name: np.full(2, NAN) for name in later.samples})
    history = History(3).extend(first).extend(later).extend(lost)
    assert history.past.cores.tolist() == [[0.75, 0.125]]
    assert np.isnan(history.past.newest).all()
    again = codec.loads(codec.dumps(history, History), History)
    assert again.snapshot(1200.0).past.cores.tolist() == history.snapshot(1200.0).past.cores.tolist()


def test_a_lost_sample_counts_as_the_replicas_newest_and_a_newcomer_as_nothing() -> None:
    web = service("web")
    first = cluster({"c1": ["web-1", "web-2"]}, services=[web], cpu={"web-1": 0.5, "web-2": 0.25}, at=0.0)
    joined = cluster({"c1": ["web-1", "web-2", "web-3"]}, services=[web], at=60.0)
    samples = {name: np.array([0.5, NAN, NAN]) for name in joined.samples}
    history = History(3).extend(first).extend(replace(joined, samples=samples))
    assert history.past.newest.tolist() == [0.75]
