"""Observations become windows: columns come and go, rows follow identities, and what is no measurement becomes NaN."""

from dataclasses import replace

import numpy as np
import pytest
from clusters import T0, app, cluster

from autoscaler.core.history import History
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY

NAN = np.nan


def cpu(history):
    return history.snapshot(T0).usage[CPU].tolist()


def seen(n, *apps, **values):
    return cluster({"X": list(apps)}, cpu=values, at=T0 + n)


def test_a_window_starts_empty_and_loses_its_oldest_column():
    history = History(3).extend(seen(0, "a", a=0.1))
    assert str(cpu(history)) == str([[NAN, NAN, 0.1]])
    for n in (1, 2, 3):
        history = history.extend(seen(n, "a", a=float(n)))
    assert cpu(history) == [[1.0, 2.0, 3.0]]
    assert history.at == T0 + 3


def test_rows_follow_app_vms_that_come_go_and_change_place_in_the_list():
    history = History(2).extend(seen(0, "a", "b", a=1.0, b=2.0)).extend(seen(1, "b", "new", b=3.0, new=4.0))
    assert str(cpu(history)) == str([[2.0, 3.0], [NAN, 4.0]])
    history = history.extend(seen(2, "a", a=5.0))
    assert str(cpu(history)) == str([[NAN, 5.0]])  # gone and back is new


def test_an_earlier_snapshot_never_changes():
    history = History(2).extend(seen(0, "a", a=1.0))
    before = history.snapshot(T0)
    history.extend(seen(1, "a", a=2.0))
    assert str(before.usage[CPU].tolist()) == str([[NAN, 1.0]])
    with pytest.raises(ValueError, match="read-only"):
        before.usage[CPU][0, 0] = 7.0


@pytest.mark.parametrize("width", [1, 2, 4])
def test_another_width_keeps_the_newest_columns(width):
    history = History(2).extend(seen(0, "a", a=1.0)).extend(seen(1, "a", a=2.0)).resized(width)
    assert str(cpu(history)) == str([([NAN, NAN, 1.0, 2.0])[-width:]])
    assert history.resized(width) is history
    assert history.extend(seen(2, "a", a=3.0)).usage[CPU].shape == (1, width)


@pytest.mark.parametrize("nonsense", [np.inf, -np.inf, -0.1, NAN])
def test_what_is_no_measurement_is_missing(nonsense):
    assert str(cpu(History(1).extend(seen(0, "a", a=nonsense)))) == str([[NAN]])


def test_a_metric_that_no_longer_comes_leaves_and_the_two_that_all_need_stay():
    history = History(1).extend(seen(0, "a"))
    assert set(history.usage) == {CPU, MEMORY, DIRTY}
    bare = replace(seen(1, "a"), samples={})
    assert set(history.extend(bare).usage) == {CPU, MEMORY}
    assert np.isnan(history.extend(bare).usage[CPU]).all()


def test_a_sample_from_the_future_is_as_fresh_as_can_be_and_no_fresher():
    ahead = replace(seen(0, "a"), sampled_at=np.array([T0 + 500.0]))
    history = History(1).extend(ahead)
    assert history.snapshot(T0 + 100).age_s.tolist() == [100.0]


def test_identity_is_kept_until_it_is_told_anew():
    history = History(1).extend(seen(0, "a"))
    first = history.inventory
    brief = replace(seen(1, "a"), app_vms=None, cloud_vms=None, services=None, catalogue=None)
    history = history.extend(brief)
    assert history.inventory is first
    history = history.extend(replace(brief, app_vms=(app("a", 7),)))
    assert history.inventory.app_memory_bytes.tolist() == [7 << 20]
    assert history.inventory.cloud_vms is first.cloud_vms


def test_before_the_first_observation_there_is_an_empty_snapshot():
    snapshot = History(3).snapshot(0.0)
    assert (len(snapshot.app_vms), snapshot.usage[CPU].shape, snapshot.placement.tolist()) == (0, (0, 3), [])
