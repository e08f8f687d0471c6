"""One turn of the PlanetLab consolidation: by hand on a few hosts, and machine code against the plain one on many."""

import numpy as np
import pytest

from autoscaler.packing import quick
from autoscaler.packing.overload import forecast_weights, interquartile_range, judge, median_absolute_deviation
from autoscaler.packing.pabfd import Turn
from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.power import PowerCurves
from autoscaler.packing.selection import SELECTIONS, Candidates

STRAIGHT = [100.0 + 10.0 * point for point in range(11)]
STEEP = [50.0 + 20.0 * point for point in range(11)]


def moment(residents, demand, capacity=10.0, memory=None, kinds=None, window=None):
    """Hosts of `capacity`, `residents[host]` app VMs with `demand`; kind 1 has the steep power curve."""
    count = len(residents)
    demand = np.array(demand, dtype=float)
    hosts = Hosts(
        np.array(kinds or [0] * count),
        np.full(count, capacity),
        np.full(count, capacity),
        PowerCurves([STRAIGHT, STEEP]),
    )
    asked = np.array([demand[list(apps)].sum() for apps in residents])
    window = np.tile(demand, (12, 1)) if window is None else np.array(window, dtype=float)
    about = Candidates(list(memory or [1.0] * len(demand)), (demand / capacity).tolist(), window)
    active = np.array([bool(apps) for apps in residents])
    return (
        hosts,
        Moment(residents, active, demand, np.minimum(asked / capacity, 1), np.minimum(asked, capacity), about),
        window,
    )


def turn(detector, safety, scene, selection="mmt", **options):
    hosts, now, window = scene
    detects = judge(detector, safety)
    detects.look(now.demand, window)
    return Turn(hosts, now, detects, SELECTIONS[selection], **options).moves()


def test_an_overloaded_host_loses_the_quickest_to_move_to_where_power_rises_least():
    relief, emptied = turn("thr", 0.8, moment([[0, 1], [2], [3]], [5, 4, 7, 3], memory=[9, 2, 1, 1], kinds=[0, 1, 0]))
    assert relief == [(1, 2)]  # 1 is smaller in memory than 0; the steep host would cost twice
    assert emptied == []


def test_a_host_is_emptied_whole_or_not_at_all():
    relief, emptied = turn("thr", 0.8, moment([[0], [1], [2, 3]], [3, 4, 3, 3]))
    assert relief == []
    assert emptied == [(0, 1)]  # then 1 is a target and stays, and 2 and 3 do not fit together
    _, emptied = turn("thr", 0.8, moment([[0, 1], [2]], [2, 3, 4]))
    assert emptied == [] or all(app == 2 for app, _ in emptied)


def test_where_memory_counts_it_is_kept():
    hosts, now, window = moment([[0], [1]], [3, 4], memory=[5, 5])
    free = Moment(now.residents, now.active, now.demand, now.load, now.allocated, now.candidates, np.array([2.0, 2.0]))
    assert turn("thr", 0.8, (hosts, now, window)) == ([], [(0, 1)])
    assert turn("thr", 0.8, (hosts, free, window)) == ([], [])


def test_hosts_that_were_just_filled_can_be_left_alone():
    scene = moment([[0, 1], [2], []], [6, 3, 5], memory=[9, 1, 1])
    assert turn("thr", 0.8, scene) == ([(1, 1)], [])
    assert turn("thr", 0.8, scene, settled=True) == ([(1, 1)], [])


def test_regression_looks_one_sample_ahead():
    weights = forecast_weights()
    line = np.arange(10.0) * 2 + 5
    assert weights @ line == pytest.approx(25.0)
    rising = [[step / 10.0] for step in range(12)]
    overloaded, _ = turn("lr", 9.0, moment([[0], []], [1.1], window=rising))
    assert overloaded == [(0, 1)]  # 1.2 x 9 > 10


def test_spreads_by_hand():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100])
    assert interquartile_range(values) == 10.0 - 3.0
    assert median_absolute_deviation(np.array([1.0, 1, 2, 2, 4, 6, 9])) == 1.0


@pytest.mark.skipif(not quick.HERE, reason="numba is not installed: there is only the plain implementation")
@pytest.mark.parametrize("detector", ["thr", "lr"])
@pytest.mark.parametrize("selection", ["mmt", "mu"])
@pytest.mark.parametrize("seed", range(6))
def test_machine_code_and_the_plain_one_make_the_same_moves(detector, selection, seed):
    luck = np.random.Generator(np.random.PCG64(seed))
    apps, count = 60, 25
    place = luck.integers(0, count, apps)
    residents = [np.flatnonzero(place == host).tolist() for host in range(count)]
    window = luck.uniform(0, 4, (int(luck.integers(3, 31)), apps))
    window[:, luck.random(apps) < 0.2] = 0.0
    window[-1] = luck.uniform(0.1, 4, apps)
    kinds = luck.integers(0, 2, count).tolist()
    memory = luck.integers(1, 4, apps).tolist()
    scene = moment(residents, window[-1], memory=memory, kinds=kinds, window=window)
    safety = 0.8 if detector == "thr" else 1.2
    fast = turn(detector, safety, scene, selection)
    assert turn(detector, safety, scene, selection, quickly=False) == fast
    assert fast[0] or fast[1]
