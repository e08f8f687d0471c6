"""The ports over a world: what an observation tells, and what is kept before anything is handed out."""

from __future__ import annotations

import json

from autoscaler.core.events import Execute, Undo
from autoscaler.core.model import AppVM
from autoscaler.core.steps import Cordon, Migrate, StartAppVM, Step, StopAppVM
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import MIB
from autoscaler.sim.world import World


def execute(step, action):
    return Execute(Step(step, action), cause="e1")


def test_the_first_read_is_complete_and_the_next_tells_changes_only(scenario):
    cluster = SimulatedCluster(World(scenario))
    (first,) = cluster.read(0.0)
    assert (first.at, first.id) == (0.0, "")
    assert [size.name for size in first.catalogue] == ["small", "large"]
    assert [cloud_vm.id for cloud_vm in first.cloud_vms] == ["a", "b"]
    assert [app_vm.id for app_vm in first.app_vms] == ["web-1", "web-2", "own"]
    assert first.placement.tolist() == [0, 0, 1]
    (second,) = cluster.read(60.0)
    assert (second.catalogue, second.cloud_vms, second.app_vms, second.services) == (None, None, None, None)
    cluster.submit(execute("s1", StartAppVM(AppVM("x", memory_bytes=MIB), "b")), 60.0)
    (third,) = cluster.read(120.0)
    assert (third.cloud_vms, len(third.app_vms)) == (None, 4)
    cluster.submit(execute("k1", Cordon("a")), 120.0)
    (fourth,) = cluster.read(180.0)
    assert (fourth.app_vms, fourth.cloud_vms[0].state.value) == (None, "cordoned")
    cluster.read_completely()
    assert next(iter(cluster.read(180.0))).app_vms is not None


def test_reading_twice_at_one_instant_tells_the_same(scenario):
    cluster = SimulatedCluster(World(scenario))
    (one,), (other,) = cluster.read(60.0), cluster.read(60.0)
    assert one.sampled_at.tolist() == other.sampled_at.tolist()
    assert {m: s.tolist() for m, s in one.samples.items()} == {m: s.tolist() for m, s in other.samples.items()}


def test_an_observation_does_not_change_when_the_world_goes_on(scenario):
    cluster = SimulatedCluster(World(scenario))
    (seen,) = cluster.read(0.0)
    cluster.submit(execute("m1", Migrate("own", "b", "a")), 0.0)
    cluster.read(60.0)
    assert seen.placement.tolist() == [0, 0, 1]
    assert seen.sampled_at.tolist() == [0.0, 0.0, 0.0]


def test_an_undo_is_a_step_of_its_own(scenario):
    cluster = SimulatedCluster(World(scenario))
    step = Step("k1", Cordon("a"), undo=Cordon("a", on=False))
    cluster.submit(Execute(step, "e1"), 0.0)
    cluster.submit(Undo(step, "k1~undo", Cordon("a", on=False), "e2"), 0.0)
    assert [ended.step for ended in cluster.ended(60.0)] == ["k1", "k1~undo"]
    assert next(iter(cluster.read(60.0))).cloud_vms[0].state.value == "active"


def test_the_world_is_kept_before_an_outcome_is_told(scenario):
    kept = []
    cluster = SimulatedCluster(World(scenario), on_change=lambda state: kept.append(json.dumps(state)))
    cluster.submit(execute("s1", StopAppVM("own")), 0.0)
    assert len(kept) == 1
    cluster.submit(execute("s1", StopAppVM("own")), 0.0)
    assert len(kept) == 1
    told = list(cluster.ended(60.0))
    assert [ended.step for ended in told] == ["s1"]
    cluster.read(60.0)
    assert len(kept) == 2

    survivor = SimulatedCluster(World.restore(scenario, json.loads(kept[-1])))
    survivor.submit(execute("s1", StopAppVM("own")), 60.0)
    assert list(survivor.ended(60.0)) == told
    (seen,) = survivor.read(60.0)
    assert [app_vm.id for app_vm in seen.app_vms] == ["web-1", "web-2"]


def test_time_never_goes_back(scenario):
    cluster = SimulatedCluster(World(scenario))
    cluster.read(120.0)
    assert next(iter(cluster.read(60.0))).at == 120.0
