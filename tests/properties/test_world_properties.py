"""Whatever steps are thrown at a world, and whatever fails in it: its laws hold, and a restored one goes on identically."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.model import AppVM, CloudVMSize
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StopAppVM
from autoscaler.sim.scenario import (
    MIB,
    DemandShape,
    Faults,
    Scenario,
    SimulatedAppVM,
    SimulatedCloudVM,
    SimulatedService,
)
from autoscaler.sim.world import World

SIZES = (CloudVMSize("small", 2.0, 200 * MIB, 0.05), CloudVMSize("large", 4.0, 400 * MIB, 0.09))
CLOUDS = st.sampled_from(["c1", "c2", "c1", "c2", "c3", "c4"])
APPS = st.sampled_from(["web-1", "web-2", "web-3", "own", "n1", "n2", "n3", "n4"])
STARTS = st.builds(
    lambda name, memory, place: StartAppVM(AppVM(name, "web", 0.5, memory * MIB), place),
    APPS,
    st.sampled_from([64, 120, 150]),
    CLOUDS,
)
MOVES = st.builds(Migrate, APPS, CLOUDS, CLOUDS)
ACTIONS = st.one_of(
    STARTS,
    STARTS,
    STARTS,
    MOVES,
    MOVES,
    st.builds(StopAppVM, APPS),
    st.builds(CreateCloudVM, CLOUDS, st.sampled_from(SIZES)),
    st.builds(ReleaseCloudVM, CLOUDS),
    st.builds(Cordon, CLOUDS, st.booleans()),
)
DEEDS = st.lists(
    st.tuples(ACTIONS, st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 7.0, 60.0, 200.0])), min_size=12, max_size=40
)
FAULTS = st.builds(
    Faults,
    failed_step_probability=st.sampled_from([0.0, 0.3]),
    slow_step_probability=st.sampled_from([0.0, 0.5]),
    lost_sample_probability=st.sampled_from([0.0, 0.2]),
    deaths_per_cloud_vm_hour=st.sampled_from([0.0, 5.0]),
)


@st.composite
def scenarios(draw):
    noisy = DemandShape(base_cores=1.0, swing_cores=draw(st.sampled_from([0.0, 6.0])), noise_fraction=0.2)
    return Scenario(
        catalogue=SIZES,
        cloud_vms=(SimulatedCloudVM("c1", "small"), SimulatedCloudVM("c2", "large")),
        services=(SimulatedService("web", replicas=3, memory_bytes=64 * MIB, demand=noisy),),
        app_vms=(SimulatedAppVM("own", demand=DemandShape(base_cores=0.5)),),
        seed=draw(st.integers(0, 3)),
        faults=draw(FAULTS),
    )


def truthful(world, action):
    """A migration names the cloud VM that the app VM is really on, where it is on any: else nearly all would be refused."""
    row = world.estate.apps.row(action.app_vm) if isinstance(action, Migrate) else None
    return action if row is None else replace(action, source=world.estate.place_of(row).id)


def carry_out(world, deeds, first=0):
    """One deed after the other, with time between them; yields after each."""
    for number, (action, wait_s) in enumerate(deeds, start=first):
        world.submit(f"s{number}", truthful(world, action))
        yield
        world.advance(world.now + wait_s)
        yield


@settings(max_examples=100, deadline=None)
@given(scenarios(), DEEDS)
def test_the_laws_hold_at_every_instant(scenario, deeds):
    world = World(scenario)
    cost, unserved = 0.0, 0.0
    for _ in carry_out(world, deeds):
        clouds, apps = world.estate.clouds.identities, world.estate.apps.identities
        assert len({app_vm.id for app_vm in apps}) == len(apps) == len(world.placement)
        assert len({cloud_vm.id for cloud_vm in clouds}) == len(clouds)
        assert ((world.placement >= 0) & (world.placement < len(clouds))).all()
        assert all(world.estate.free_bytes(row) >= 0 for row in range(len(clouds)))
        score = world.score
        assert len(apps) == 4 + score.app_vm_starts - score.app_vm_stops - score.app_vms_lost
        served = world.rates().served_cores
        assert (served >= 0).all()
        assert (served <= world.estate.apps["cores"] + 1e-9).all()
        load = np.bincount(world.placement, weights=served, minlength=len(clouds))
        assert (load <= world.estate.clouds["cores"] + 1e-9).all()
        assert world.score.cost >= cost
        assert world.score.unserved_core_s >= unserved
        assert 0.0 <= world.score.demand_unserved_fraction <= 1.0
        cost, unserved = world.score.cost, world.score.unserved_core_s
    world.advance(world.now + 3600.0)
    ended = [each.step for each in world.ended()]
    assert sorted(ended) == sorted(f"s{number}" for number in range(len(deeds)))  # each step ends, and is told once
    assert all(each["outcome"] != "failed" or each["reason"] for each in outcomes(world))


def outcomes(world):
    names = ("at", "step", "outcome", "reason", "total_s", "downtime_s", "sent_bytes")
    return [dict(zip(names, fields, strict=True)) for fields in world.state()["outcomes"]]


@settings(max_examples=100, deadline=None)
@given(scenarios(), DEEDS, DEEDS)
def test_a_restored_world_goes_on_identically(scenario, before, after):
    world = World(scenario)
    for _ in carry_out(world, before):
        pass
    written = json.dumps(world.state(), allow_nan=False)
    twin = World.restore(scenario, json.loads(written))
    assert json.dumps(twin.state()) == written
    for _ in zip(carry_out(world, after, len(before)), carry_out(twin, after, len(before)), strict=True):
        assert json.dumps(twin.state()) == json.dumps(world.state())
        assert repr({m: s.tolist() for m, s in twin.samples().items()}) == repr(
            {m: s.tolist() for m, s in world.samples().items()}
        )
    assert twin.ended() == world.ended()
    assert twin.score == world.score


@settings(max_examples=30, deadline=None)
@given(scenarios(), DEEDS)
def test_submitting_everything_twice_changes_nothing(scenario, deeds):
    once, twice = World(scenario), World(scenario)
    for number, (action, wait_s) in enumerate(deeds):
        once.submit(f"s{number}", action)
        twice.submit(f"s{number}", action)
        twice.submit(f"s{number}", action)
        once.advance(once.now + wait_s)
        twice.advance(twice.now + wait_s)
    assert json.dumps(twice.state()) == json.dumps(once.state())
