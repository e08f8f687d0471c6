"""What goes wrong, and that it goes wrong in the same way every time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.events import Outcome
from autoscaler.core.model import CloudVMSize
from autoscaler.core.snapshot import CPU
from autoscaler.core.steps import CreateCloudVM, Migrate, StopAppVM
from autoscaler.errors import SourceError
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import GIB, Faults
from autoscaler.sim.world import FAULT, World

LARGE = CloudVMSize("large", cores=4.0, memory_bytes=2 * GIB, price_per_hour=7.2)


def faulty(scenario, **faults):
    return World(replace(scenario, faults=Faults(**faults)))


def test_a_failed_migration_leaves_the_app_vm_where_it_was_without_a_pause(scenario):
    world = faulty(scenario, failed_step_probability=1.0)
    world.submit("m1", Migrate("own", "b", "a"))
    world.advance(60.0)
    (ended,) = world.ended()
    assert (ended.outcome, ended.reason, ended.downtime_s) == (Outcome.FAILED, FAULT, 0.0)
    assert ended.total_s == pytest.approx(5.0)  # it was copied for nothing
    assert world.placement.tolist() == [0, 0, 1]
    assert world.estate.free_bytes(0) == 512 << 20
    assert world.score.unserved_core_s == 0.0


def test_a_cloud_vm_that_does_not_start_is_given_back_and_paid(scenario):
    world = faulty(scenario, failed_step_probability=1.0)
    world.submit("c1", CreateCloudVM("c", LARGE))
    world.advance(100.0)
    assert [cloud_vm.id for cloud_vm in world.estate.clouds.identities] == ["a", "b"]
    assert world.score.cost == pytest.approx(100 * 0.002 + 90 * 0.002)


def test_a_slow_step_takes_its_factor_longer(scenario):
    world = faulty(scenario, slow_step_probability=1.0, slow_step_factor=3.0)
    world.submit("s1", StopAppVM("own"))
    world.submit("m1", Migrate("web-1", "a", "b"))
    world.advance(1.4)
    assert world.ended() == ()
    world.advance(1.5)
    assert [ended.step for ended in world.ended()] == ["s1"]


def test_a_slow_migration_has_less_bandwidth(scenario):
    world = faulty(scenario, slow_step_probability=1.0, slow_step_factor=2.0)
    world.submit("m1", Migrate("own", "b", "a"))
    world.advance(60.0)
    assert world.ended()[0].total_s == pytest.approx(1.0 + 8.0 + 0.2)


def test_a_lost_sample_is_nan_and_does_not_grow_younger(scenario):
    world = faulty(scenario, lost_sample_probability=1.0)
    world.advance(60.0)
    assert np.isnan(world.samples()[CPU]).all()
    assert world.sampled_at.tolist() == [0.0, 0.0, 0.0]


def test_some_samples_are_lost_others_not(scenario):
    world = faulty(scenario, lost_sample_probability=0.3)
    lost = 0
    for now in range(60, 6060, 60):
        world.advance(float(now))
        missing = np.isnan(world.samples()[CPU])
        assert ((world.sampled_at == now) == ~missing).all()
        lost += int(missing.sum())
    assert 0.2 < lost / 300 < 0.4


def test_a_silent_cluster_gives_no_observation_and_time_passes_all_the_same(scenario):
    cluster = SimulatedCluster(faulty(scenario, silent_probability=0.5))
    seen = 0
    for now in range(60, 6060, 60):
        with contextlib.suppress(SourceError):
            seen += len(list(cluster.read(float(now))))
        assert cluster.world.now == now
    assert 35 < seen < 65


def test_app_vms_die_with_their_cloud_vm_and_so_do_steps_that_need_it(scenario):
    world = World(scenario)
    world.estate.clouds["dies_at"][1] = 3.0
    world.submit("m1", Migrate("own", "b", "a"))
    world.submit("m2", Migrate("web-1", "a", "b"))
    world.advance(60.0)
    assert [(ended.step, ended.at, ended.reason) for ended in world.ended()] == [
        ("m1", 3.0, "cloud VM 'b' died"),
        ("m2", 3.0, "cloud VM 'b' died"),
    ]
    assert [app_vm.id for app_vm in world.estate.apps.identities] == ["web-1", "web-2"]
    assert (world.score.app_vms_lost, world.score.cloud_vm_deaths) == (1, 1)
    assert world.score.unserved_core_s == pytest.approx(0.5 * 57)
    assert world.estate.free_bytes(0) == 512 << 20


def test_cloud_vms_live_as_long_as_the_rate_says(scenario):
    lives_s = [
        float(at)
        for seed in range(200)
        for at in World(replace(scenario, seed=seed, faults=Faults(deaths_per_cloud_vm_hour=0.5))).estate.clouds[
            "dies_at"
        ]
    ]
    assert np.mean(lives_s) == pytest.approx(7200.0, rel=0.15)


TWICE = """
import json
from autoscaler.core.steps import CreateCloudVM
from autoscaler.sim.example import example_scenario
from autoscaler.sim.world import World
world = World(example_scenario())
for hour in range(1, 13):
    world.submit(f"c{hour}", CreateCloudVM(f"new-{hour}", world.scenario.catalogue[0]))
    world.advance(world.scenario.start_at + 3600.0 * hour)
print(json.dumps(world.state()))
"""


def test_the_same_bytes_under_any_hash_seed():
    said = [
        subprocess.run(
            [sys.executable, "-c", TWICE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "4711")
    ]
    assert said[0] == said[1]
    assert json.loads(said[0])["tally"]["simulated_s"] == 43200.0


def test_another_seed_gives_another_day(scenario):
    states = {
        json.dumps(faulty(replace(scenario, seed=seed), deaths_per_cloud_vm_hour=0.1).state()) for seed in range(3)
    }
    assert len(states) == 3
