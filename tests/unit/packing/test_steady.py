"""A turn that holds still: who leaves, where they can stay, and what emptying must save; by hand on a few hosts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.packing.places import Hosts, Moment
from autoscaler.packing.power import PowerCurves
from autoscaler.packing.selection import Candidates
from autoscaler.packing.steady import Rule, SteadyTurn

STRAIGHT = [100.0 + 10.0 * point for point in range(11)]
WASTEFUL = [200.0 + 10.0 * point for point in range(11)]
CALM = Rule(
    fill_fraction=1.0,
    deviations=0.0,
    newest_weight=1.0,
    ceiling_fraction=1.0,
    relieved_fraction=1.0,
    watts_per_move=1.0,
)


def scene(residents, demand, capacity=10.0, memory=None, kinds=None, window=None, **about_hosts):
    """Hosts of `capacity` with app VMs of `demand`, which may use 10 each; kind 1 is wasteful."""
    demand, count = np.array(demand, dtype=float), len(residents)
    curves = PowerCurves([STRAIGHT, WASTEFUL])
    hosts = Hosts(np.array(kinds or [0] * count), np.full(count, capacity), np.full(count, 10.0), curves)
    asked = np.array([demand[list(apps)].sum() for apps in residents])
    window = np.tile(demand, (30, 1)) if window is None else np.array(window, dtype=float)
    candidates = Candidates(list(memory or [1.0] * len(demand)), (demand / 10.0).tolist(), window)
    active = np.array([bool(apps) for apps in residents])
    load, allocated = np.minimum(asked / capacity, 1), np.minimum(asked, capacity)
    return hosts, Moment(residents, active, demand, load, allocated, candidates, **about_hosts), window


def turn(rule, asked):
    return SteadyTurn(*asked, rule).moves()


def test_who_leaves_loses_the_least_work_and_goes_to_the_fullest_that_holds_it():
    relief, emptied = turn(CALM, scene([[0, 1, 2], [3], [4]], [6, 3, 3, 6, 5], memory=[4, 9, 2, 1, 1]))
    assert relief == [(2, 1)]  # 2 suffices with less to send than 0 or 1; host 1 is fuller than host 2
    assert emptied == []


def test_where_nobody_has_room_an_empty_host_of_the_efficient_kind_is_used():
    relief, _ = turn(CALM, scene([[0, 1], [], []], [8, 7], kinds=[0, 1, 0]))
    assert relief == [(1, 2)]


def test_what_is_on_already_is_used_before_what_must_be_switched_on():
    off = np.array([False, False, True])
    relief, _ = turn(CALM, scene([[0, 1], [], []], [8, 7], kinds=[0, 1, 0], off=off))
    assert relief == [(1, 1)]


def test_the_ceiling_itself_is_not_too_much():
    assert turn(CALM, scene([[0, 1], [2]], [5, 5, 3])) == ([], [])


def test_a_host_is_emptied_whole_or_not_at_all():
    assert turn(CALM, scene([[0, 1], [2]], [3, 3, 5])) == ([], [])  # one of them would fit
    assert turn(CALM, scene([[0, 1], [2]], [2, 3, 5])) == ([], [(1, 1), (0, 1)])


def test_emptying_must_save_enough_for_each_move():
    two = scene([[0, 1], [2, 3, 4]], [1, 1, 2, 2, 1])  # saves the idle 100 W with two moves, or with three
    assert turn(replace(CALM, watts_per_move=49.0), two) == ([], [(0, 1), (1, 1)])
    assert turn(replace(CALM, watts_per_move=51.0), two) == ([], [])


def test_variances_add_up_not_deviations():
    """Ten that waver by 1 about 1 waver by 3.2 together, not by 10."""
    wavering = np.where(np.arange(30)[:, None] % 2, 2.0, 0.0) * np.ones(11)
    window = wavering.copy()
    window[:, 10] = 1.0
    residents, demand = [list(range(10)), [10]], [1.0] * 11
    rule = replace(CALM, newest_weight=0.0, deviations=1.0)
    assert turn(rule, scene(residents, demand, capacity=15.0, window=window))[1]
    assert not turn(rule, scene(residents, demand, capacity=13.0, window=window))[1]


def test_an_app_vm_without_a_past_is_not_trusted():
    """The same demand, seen thirty times or once: the once seen one is supposed to come in bursts."""
    rule = replace(CALM, deviations=2.0)
    long, short = np.tile([3.0, 6.0], (30, 1)), np.array([[3.0, 6.0]])
    assert turn(rule, scene([[0], [1]], [3, 6], capacity=11.0, window=long))[1]
    assert not turn(rule, scene([[0], [1]], [3, 6], capacity=11.0, window=short))[1]


def test_where_memory_counts_it_is_kept_and_the_source_keeps_its_share_until_the_end():
    asked = scene([[0], [1]], [3, 4], memory=[5, 5], memory_free=np.array([2.0, 4.0]))
    assert turn(CALM, asked) == ([], [])
    assert turn(CALM, scene([[0], [1]], [3, 4], memory=[5, 5], memory_free=np.array([2.0, 5.0]))) == ([], [(0, 1)])


@st.composite
def crowds(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    apps, hosts = int(random.integers(1, 30)), int(random.integers(1, 10))
    where = random.integers(0, hosts, apps)
    residents = [np.flatnonzero(where == host).tolist() for host in range(hosts)]
    window = random.gamma(0.5, 2.0, (int(random.integers(1, 31)), apps)).clip(0, 10)
    memory = random.integers(1, 5, apps).astype(float).tolist()
    free = np.full(hosts, 40.0) - [sum(memory[app] for app in here) for here in residents]
    kinds = random.integers(0, 2, hosts).tolist()
    return scene(residents, window[-1], 12.0, memory, kinds, window, memory_free=np.maximum(free, 0.0))


@settings(max_examples=150, deadline=None)
@given(crowds(), st.floats(0, 4), st.floats(0, 60))
def test_whatever_happens(asked, deviations, watts):
    """Everybody moves once at most and to another host; who arrives fits; whoever is emptied is empty and takes nobody."""
    hosts, moment, _ = asked
    relief, emptied = turn(replace(CALM, deviations=deviations, watts_per_move=watts), asked)
    moves = relief + emptied
    home = {app: host for host, apps in enumerate(moment.residents) for app in apps}
    now = dict(home) | dict(moves)
    assert len({app for app, _ in moves}) == len(moves)
    assert all(home[app] != host for app, host in moves)
    for target in {host for _, host in moves}:
        here = [app for app, host in now.items() if host == target]
        coming = [app for app, host in moves if host == target]
        assert moment.demand[here].sum() <= hosts.capacity[target] + 1e-9
        assert sum(moment.candidates.memory[app] for app in coming) <= moment.memory_free[target]
    sources = {home[app] for app, _ in emptied}
    assert not sources & set(now.values())


def test_what_has_just_left_would_be_missed():
    from autoscaler.strategies.steady import Steady

    with pytest.raises(ValueError, match="cpu_relieved 95% must not be above cpu_ceiling 90%"):
        Steady(cpu_ceiling_fraction=0.9)
