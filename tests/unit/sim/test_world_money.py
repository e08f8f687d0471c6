"""The bill: by the second, from creation on, with a minimum."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.model import CloudVMSize
from autoscaler.core.steps import CreateCloudVM, ReleaseCloudVM
from autoscaler.sim.scenario import GIB
from autoscaler.sim.world import World

LARGE = CloudVMSize("large", cores=4.0, memory_bytes=2 * GIB, price_per_hour=7.2)
PER_S = 0.002  # 7.2 per hour
BASE_PER_S = 0.002  # two small ones at 3.6


def test_every_second_of_every_cloud_vm_is_paid(scenario):
    world = World(scenario)
    world.advance(100.0)
    assert world.score.cost == pytest.approx(100 * BASE_PER_S)
    assert world.score.cloud_vm_hours == pytest.approx(200 / 3600)


def test_a_starting_cloud_vm_is_paid_too(scenario):
    world = World(scenario)
    world.submit("c1", CreateCloudVM("c", LARGE))
    world.advance(50.0)
    assert world.score.cost == pytest.approx(50 * (BASE_PER_S + PER_S))


def test_a_short_life_costs_the_minimum_period(scenario):
    world = World(replace(scenario, minimum_billing_s=600.0))
    world.submit("c1", CreateCloudVM("c", LARGE))
    world.advance(100.0)
    world.submit("r1", ReleaseCloudVM("c"))
    world.advance(200.0)  # released at 105
    assert world.score.cost == pytest.approx(200 * BASE_PER_S + 600 * PER_S)


def test_a_life_beyond_the_minimum_costs_what_it_lasted(scenario):
    world = World(replace(scenario, minimum_billing_s=60.0))
    world.submit("c1", CreateCloudVM("c", LARGE))
    world.advance(100.0)
    world.submit("r1", ReleaseCloudVM("c"))
    world.advance(200.0)
    assert world.score.cost == pytest.approx(200 * BASE_PER_S + 105 * PER_S)
