"""How a world begins, and which descriptions of one are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.errors import UsageError
from autoscaler.sim.example import example_scenario
from autoscaler.sim.scenario import GIB, SimulatedAppVM, SimulatedCloudVM, SimulatedService
from autoscaler.sim.world import World


def places(world):
    clouds = world.estate.clouds.identities
    return [clouds[row].id for row in world.placement.tolist()]


def test_the_first_app_vms_go_where_fewest_cores_are_allocated_or_where_they_are_told(scenario):
    assert places(World(scenario)) == ["a", "a", "b"]
    free = replace(scenario, services=(SimulatedService("web", replicas=4),), app_vms=())
    assert places(World(free)) == ["a", "b", "a", "b"]
    pinned = replace(scenario, app_vms=(SimulatedAppVM("own", pinned_to="a"),))
    assert places(World(pinned)) == ["a", "a", "a"]


def test_apart_is_kept_in_both_directions(scenario):
    service = SimulatedService("web", replicas=2, apart_from=("web",))
    one = SimulatedAppVM("one", apart_from=("web",))
    with pytest.raises(UsageError, match=r"app VM 'one' .* fits on no cloud VM"):
        World(replace(scenario, services=(service,), app_vms=(one,)))
    assert sorted(places(World(replace(scenario, services=(service,), app_vms=())))) == ["a", "b"]


def test_what_does_not_fit_or_exist_is_refused(scenario):
    with pytest.raises(UsageError, match="fits on no cloud VM"):
        World(replace(scenario, app_vms=(SimulatedAppVM("big", memory_bytes=4 * GIB),)))
    with pytest.raises(UsageError, match="fits not on cloud VM 'nowhere'"):
        World(replace(scenario, app_vms=(SimulatedAppVM("own", on="nowhere"),)))
    with pytest.raises(UsageError, match="the catalogue has small, large"):
        World(replace(scenario, cloud_vms=(SimulatedCloudVM("a", "huge"),)))


def test_services_carry_the_template_of_a_new_replica(scenario):
    (web,) = World(scenario).services
    assert (web.id, web.max_replicas, web.template.id, web.template.service) == ("web", 4, "", "web")
    assert web.template.cores == 1.5


def test_the_example_world_stands():
    world = World(example_scenario())
    apps = world.estate.apps.identities
    assert (len(world.services), len(apps), len(world.estate.clouds)) == (5, 29, 4)
    store = [place for app_vm, place in zip(apps, places(world), strict=True) if app_vm.service == "store"]
    assert len(set(store)) == 3
