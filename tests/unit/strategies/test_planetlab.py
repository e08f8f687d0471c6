"""The PlanetLab policies as proposals: relief with at most one new cloud VM, emptying whole cloud VMs, memory kept."""

import pytest

from autoscaler.core.policy import StrategySpec
from autoscaler.core.proposals import Consolidate, Move, Separate
from autoscaler.registry import build, strategy_type
from autoscaler.strategies.planetlab import PlanetLab
from tests.unit.strategies.conftest import app, scene

THRESHOLD = PlanetLab(detector="thr", safety=0.8)


def test_an_overloaded_cloud_vm_sheds_the_quickest_to_move():
    wishes = THRESHOLD.propose(
        scene({"a": ("small", [app("big", 1.0, mib=512), app("light", 0.9, mib=64)]), "b": ("small", [app("c", 0.2)])})
    )
    relief = next(wish for wish in wishes if isinstance(wish, Separate))
    assert relief.cloud_vm == "a"
    assert relief.moves == (Move("light", "b"),)
    assert relief.new_size is None
    assert "overloaded at 95 % CPU" in relief.reason


def test_where_nobody_has_room_one_new_cloud_vm_is_wished():
    wishes = THRESHOLD.propose(scene({"a": ("small", [app("x", 1.0), app("y", 0.9)])}))
    relief = next(wish for wish in wishes if isinstance(wish, Separate))
    assert relief.moves[0].target is None
    assert relief.new_size == "small"


def test_the_least_loaded_cloud_vm_is_emptied_whole():
    wishes = THRESHOLD.propose(scene({"a": ("small", [app("x", 0.2)]), "b": ("small", [app("y", 0.5)])}))
    assert [(type(wish), wish.cloud_vm, wish.moves) for wish in wishes] == [(Consolidate, "a", (Move("x", "b"),))]


def test_memory_is_kept_unless_it_may_be_overcommitted():
    full = {"a": ("small", [app("x", 0.2, mib=3000)]), "b": ("small", [app("y", 0.5, mib=3000)])}
    assert THRESHOLD.propose(scene(full)) == []
    assert len(PlanetLab(detector="thr", safety=0.8, memory_overcommit=2.0).propose(scene(full))) == 1


def test_what_is_in_flight_is_left_alone():
    wishes = THRESHOLD.propose(
        scene({"a": ("small", [app("x", 0.2)]), "b": ("small", [app("y", 0.5)])}, in_flight={"a"})
    )
    assert wishes == []


def test_without_a_detector_nothing_is_ever_moved():
    assert PlanetLab(detector="none").propose(scene({"a": ("small", [app("x", 1.9)])})) == ()


@pytest.mark.parametrize("detector", ["thr", "iqr", "mad", "lr"])
def test_every_detector_can_be_named_in_a_policy(detector):
    assert strategy_type("planetlab") is PlanetLab
    strategy = build(StrategySpec("planetlab", {"detector": detector, "safety": 0.9, "selection": "mc"}))
    assert isinstance(strategy.propose(scene({"a": ("small", [app("x", 0.1, samples=[0.1] * 15)])})), list)
