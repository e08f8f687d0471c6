"""Who gets how much CPU, what is measured of it, and what the score sees that the controller cannot."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.core.model import AppVM
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY
from autoscaler.core.steps import StartAppVM, StopAppVM
from autoscaler.sim.contention import share_out
from autoscaler.sim.demand import RecordedDemand
from autoscaler.sim.scenario import MIB
from autoscaler.sim.world import World


def test_a_service_is_split_evenly_and_an_own_app_vm_has_its_own(scenario):
    world = World(scenario)
    world.advance(60.0)
    assert world.samples()[CPU].tolist() == [1.0, 1.0, 0.5]
    assert world.score.unserved_core_s == 0.0
    assert world.score.demanded_core_s == 150.0


def test_above_capacity_each_gets_the_same_share(with_demand):
    world = World(with_demand(3.0))  # two replicas want 1.5 each of 2 cores
    world.advance(60.0)
    assert world.samples()[CPU].tolist() == pytest.approx([1.0, 1.0, 0.5])
    assert world.score.unserved_core_s == pytest.approx(60.0)
    assert world.score.demand_unserved_fraction == pytest.approx(60.0 / (3.5 * 60.0))
    assert world.score.overloaded_fraction == pytest.approx(0.5)  # a of the two hosting cloud VMs


def test_an_app_vm_gets_no_more_than_its_own_cores_and_that_is_no_overload(scenario):
    demand = RecordedDemand(("own",), np.array([[5.0]]), start_at=0.0, step_s=60.0)
    world = World(scenario, demand=demand)
    world.advance(60.0)
    assert world.samples()[CPU].tolist() == [0.0, 0.0, 1.0]
    assert world.score.unserved_core_s == 240.0
    assert world.score.overloaded_fraction == 0.0


def test_unequal_wishes_shrink_in_proportion():
    rates = share_out(
        np.array([3.0, 1.0]),
        np.array([0, 1, -1]),
        np.array([True, True, True]),
        np.array([4.0, 4.0, 4.0]),
        np.array([0, 0, 0]),
        np.array([2.0]),
    )
    assert rates.served_cores.tolist() == [1.5, 0.5, 0.0]
    assert (rates.demanded_cores, rates.unserved_cores, rates.overloaded_cloud_vms) == (4.0, 2.0, 1)


def test_memory_and_dirty_rate_follow_the_load(scenario):
    world = World(scenario)
    samples = world.samples()
    assert samples[MEMORY][2] == 512 * MIB * (0.25 + 0.5 * 0.5)
    assert samples[DIRTY].tolist() == [8e6, 8e6, 0.0]


def test_usage_is_the_mean_since_the_last_advance(scenario):
    cores = np.array([[0.2], [0.8]])
    world = World(scenario, demand=RecordedDemand(("own",), cores, start_at=0.0, step_s=30.0))
    world.advance(60.0)
    assert world.samples()[CPU][2] == pytest.approx(0.5)


def test_a_new_replica_takes_its_share_from_the_moment_it_started(scenario):
    world = World(scenario)
    world.submit("s1", StartAppVM(AppVM("web-3", "web", 1.5, 256 * MIB), "b"))
    world.advance(60.0)
    third = 2.0 / 3
    assert world.samples()[CPU][3] == pytest.approx(third)
    assert world.samples()[CPU][0] == pytest.approx((1.0 * 1 + third * 59) / 60)


def test_with_no_replica_left_all_demand_is_unserved(scenario):
    world = World(scenario)
    for name in ("web-1", "web-2"):
        world.submit(f"stop-{name}", StopAppVM(name))
    world.advance(60.5)
    assert world.score.unserved_core_s == pytest.approx(120.0)  # 2 cores from 0.5 s on
    assert [app_vm.id for app_vm in world.estate.apps.identities] == ["own"]


def test_how_often_it_is_advanced_does_not_matter(scenario):
    once, often = World(scenario), World(scenario)
    once.advance(3600.0)
    for now in range(0, 3601, 7):
        often.advance(float(now))
    often.advance(3600.0)
    assert often.score.demanded_core_s == pytest.approx(once.score.demanded_core_s)
    assert often.score.cost == pytest.approx(once.score.cost)
