"""Each kind of step: how long it takes, what it changes, and the reasons for which it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.events import Outcome
from autoscaler.core.migration import HANDOVER_S, SETUP_S
from autoscaler.core.model import AppVM, CloudVMSize, CloudVMState
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StopAppVM
from autoscaler.sim.scenario import GIB, MIB
from autoscaler.sim.world import World

SMALL = CloudVMSize("small", cores=2.0, memory_bytes=1 * GIB, price_per_hour=3.6)


def states(world):
    return {cloud_vm.id: cloud_vm.state for cloud_vm in world.estate.clouds.identities}


def where(world):
    clouds = world.estate.clouds.identities
    pairs = zip(world.estate.apps.identities, world.placement.tolist(), strict=True)
    return {app_vm.id: clouds[row].id for app_vm, row in pairs}


def refusal(world, action):
    """The reason with which `action` fails at once."""
    assert world.submit(f"refused {action}", action)
    (ended,) = world.ended()
    assert (ended.outcome, ended.total_s) == (Outcome.FAILED, 0.0)
    return ended.reason


def test_an_app_vm_starts_after_its_time_and_not_before(scenario):
    world = World(scenario)
    world.submit("s1", StartAppVM(AppVM("web-3", "web", 1.0, 64 * MIB), "b"))
    assert world.ended() == ()
    assert "web-3" not in where(world)
    world.advance(60.0)
    (ended,) = world.ended()
    assert (ended.step, ended.at, ended.outcome, ended.total_s) == ("s1", 1.0, Outcome.DONE, 1.0)
    assert list(where(world)) == ["web-1", "web-2", "own", "web-3"]
    assert world.score.app_vm_starts == 1


def test_memory_is_a_hard_limit_and_counts_what_is_arriving(scenario):
    world = World(scenario)
    world.submit("s1", StartAppVM(AppVM("x", memory_bytes=512 * MIB), "b"))  # with `own`, exactly 1 GiB
    reason = refusal(world, StartAppVM(AppVM("y", memory_bytes=1), "b"))
    assert reason == "needs 1 bytes of memory, cloud VM 'b' has 0 free"


def test_a_cloud_vm_takes_its_time_to_start_and_takes_nothing_before(scenario):
    world = World(scenario)
    world.submit("c1", CreateCloudVM("c", SMALL))
    assert states(world)["c"] is CloudVMState.STARTING
    assert refusal(world, StartAppVM(AppVM("x"), "c")) == "cloud VM 'c' is starting, not active"
    world.advance(90.0)
    (ended,) = world.ended()
    assert (ended.at, ended.outcome) == (90.0, Outcome.DONE)
    assert states(world)["c"] is CloudVMState.ACTIVE


def test_a_migration_takes_what_the_model_says(scenario):
    """512 MiB x (0.25 + 0.5 x 0.5) = 256 MiB in use, nothing dirtied, 64 MiB/s: 4 s of copying."""
    world = World(scenario)
    world.submit("m1", Migrate("own", "b", "a"))
    world.advance(60.0)
    (ended,) = world.ended()
    assert ended.outcome is Outcome.DONE
    assert ended.total_s == pytest.approx(SETUP_S + 4.0 + HANDOVER_S)
    assert ended.downtime_s == HANDOVER_S
    assert ended.sent_bytes == 256 * MIB
    assert where(world)["own"] == "a"
    assert world.score.unserved_core_s == pytest.approx(0.5 * HANDOVER_S + 0.5 * (60.0 - 5.2))  # then a is overloaded
    assert (world.score.migrations, world.score.longest_downtime_s) == (1, HANDOVER_S)


def test_two_migrations_of_one_cloud_vm_share_its_network(scenario):
    world = World(scenario)
    world.submit("m1", Migrate("own", "b", "a"))
    world.submit("m2", Migrate("web-1", "a", "b"))  # begins second: half of the bandwidth
    alone = World(scenario)
    alone.submit("m2", Migrate("web-1", "a", "b"))
    for each in (world, alone):
        each.advance(60.0)
    shared_s = {ended.step: ended.total_s for ended in world.ended()}
    (ended,) = alone.ended()
    assert shared_s["m1"] == pytest.approx(5.2)
    assert shared_s["m2"] > ended.total_s + 1.0


def test_a_paused_replica_leaves_its_demand_to_the_others(with_demand):
    world = World(with_demand(1.0))
    world.submit("m1", Migrate("web-1", "a", "b"))
    world.advance(60.0)
    assert world.score.migrations == 1
    assert world.score.unserved_core_s == 0.0


def test_memory_counts_at_both_ends_of_a_migration(scenario):
    world = World(scenario)
    world.submit("m1", Migrate("own", "b", "a"))  # a: 2 x 256 + 512 MiB = full
    reason = refusal(world, StartAppVM(AppVM("x", memory_bytes=1), "a"))
    assert "has 0 free" in reason
    assert refusal(world, ReleaseCloudVM("b")) == "cloud VM 'b' is not empty: it hosts 1 app VMs"
    world.advance(60.0)
    world.ended()
    world.submit("r1", ReleaseCloudVM("b"))
    world.advance(120.0)
    assert [ended.outcome for ended in world.ended()] == [Outcome.DONE]
    assert list(states(world)) == ["a"]
    assert world.placement.tolist() == [0, 0, 0]


def test_rows_move_up_when_an_earlier_cloud_vm_is_released(scenario):
    world = World(replace(scenario, services=()))
    world.submit("r1", ReleaseCloudVM("a"))
    world.advance(5.0)
    assert where(world) == {"own": "b"}


def test_a_cordon_keeps_arrivals_away_until_it_is_lifted(scenario):
    world = World(scenario)
    world.submit("k1", Cordon("a"))
    assert [ended.outcome for ended in world.ended()] == [Outcome.DONE]
    assert refusal(world, Migrate("own", "b", "a")) == "cloud VM 'a' is cordoned, not active"
    world.submit("k2", Cordon("a", on=False))
    world.submit("m1", Migrate("own", "b", "a"))
    world.advance(60.0)
    assert [ended.outcome for ended in world.ended()] == [Outcome.DONE, Outcome.DONE]


def test_what_contradicts_the_truth_is_refused_with_the_reason(scenario):
    world = World(scenario)
    for action, reason in (
        (StopAppVM("ghost"), "there is no app VM 'ghost'"),
        (StartAppVM(AppVM("own"), "a"), "app VM 'own' is there already"),
        (Migrate("own", "a", "b"), "app VM 'own' is on cloud VM 'b', not on 'a'"),
        (Migrate("own", "b", "b"), "app VM 'own' is on cloud VM 'b' already"),
        (Migrate("own", "b", "ghost"), "there is no cloud VM 'ghost'"),
        (ReleaseCloudVM("ghost"), "there is no cloud VM 'ghost'"),
        (Cordon("ghost"), "there is no cloud VM 'ghost'"),
        (CreateCloudVM("a", SMALL), "cloud VM 'a' is there already"),
        (CreateCloudVM("c", replace(SMALL, cores=64.0)), "the catalogue has no cloud VM size 'small' like this"),
    ):
        fresh = World(scenario)
        assert refusal(fresh, action) == reason
        assert fresh.state()["app_vms"] == world.state()["app_vms"]


def test_an_app_vm_that_moves_is_left_alone(scenario):
    world = World(scenario)
    world.submit("m1", Migrate("own", "b", "a"))
    assert refusal(world, StopAppVM("own")) == "another step is about app VM 'own'"


def test_a_step_happens_once_and_its_outcome_is_told_again(scenario):
    world = World(scenario)
    stop = StopAppVM("web-2")
    assert world.submit("s1", stop)
    assert not world.submit("s1", stop)
    world.advance(10.0)
    first = world.ended()
    assert world.ended() == ()
    assert not world.submit("s1", stop)
    assert world.ended() == first
    assert world.score.app_vm_stops == 1


def test_only_so_many_outcomes_are_remembered_but_none_is_lost_unreported(scenario):
    world = World(scenario, remember=3)
    for number in range(10):
        world.submit(f"k{number}", Cordon("a", on=number % 2 == 0))
    assert len(world.ended()) == 10
    world.submit("k10", Cordon("a"))
    assert len(world.state()["outcomes"]) == 3
