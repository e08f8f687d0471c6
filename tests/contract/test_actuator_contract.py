"""The contract of `Source` and `Actuator` (autoscaler/ports.py), run against every implementer: add a factory to RIGS to join.

A rig is a small cluster with one app VM that can be stopped, its ports, and a way to let enough time pass for a step to end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from live_stage import Stage

from autoscaler.adapters.agents import Recipe
from autoscaler.core.events import Execute, Observed, Outcome, StepEnded, Undo
from autoscaler.core.model import AppVM, CloudVMSize, Service
from autoscaler.core.steps import (
    Cordon,
    CreateCloudVM,
    Migrate,
    ReleaseCloudVM,
    StartAppVM,
    Step,
    StepAction,
    StopAppVM,
)
from autoscaler.ports import Actuator, Source
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import DemandShape, Scenario, SimulatedAppVM, SimulatedCloudVM
from autoscaler.sim.world import World

SMALL = CloudVMSize("small", cores=2.0, memory_bytes=1 << 30, price_per_hour=0.05)


@dataclass
class Rig:
    """`now`: the rig's time; `turn` is one turn of the loop, after `turn_s` (long enough for any step to end)."""

    actuator: Actuator
    source: Source
    now: float
    app_vm: str
    cloud_vms: tuple[str, str]
    turn_s: float = 300.0
    size: CloudVMSize = SMALL
    submitted: itertools.count[int] = field(default_factory=itertools.count)
    pass_time: Callable[[float], None] = lambda _now: None
    close: Callable[[], None] = lambda: None

    def execute(self, action: StepAction, name: str = "") -> str:
        step = name or f"step-{next(self.submitted)}"
        self.actuator.submit(Execute(Step(step, action), cause="e1"), self.now)
        return step

    def turn(self) -> tuple[list[StepEnded], Observed]:
        self.now += self.turn_s
        self.pass_time(self.now)
        ended = list(self.actuator.ended(self.now))
        *_, observed = self.source.read(self.now)
        return ended, observed


def simulated() -> Rig:
    scenario = Scenario(
        catalogue=(SMALL,),
        cloud_vms=(SimulatedCloudVM("a", "small"), SimulatedCloudVM("b", "small")),
        app_vms=(SimulatedAppVM("app", on="a", demand=DemandShape(base_cores=0.5)),),
    )
    cluster = SimulatedCluster(World(scenario))
    return Rig(cluster, cluster, scenario.start_at, "app", ("a", "b"))


def live(directory: Path) -> Rig:
    """The real adapter, with agents in memory behind real HTTP; a third host is on the shelf."""
    stage = Stage(directory, {"a": SMALL, "b": SMALL, "c": SMALL}, in_use={"c": ""})
    stage.runs("app", "a")
    cluster = stage.cluster(recipes={"": Recipe(Service(""), image="hello.elf")})
    return Rig(cluster, cluster, stage.fleet.now, "app", ("a", "b"), pass_time=stage.pass_time, close=stage.close)


RIGS: dict[str, Callable[[Path], Rig]] = {"simulated": lambda _directory: simulated(), "live": live}


@pytest.fixture(params=RIGS.values(), ids=RIGS.keys())
def rig(request, tmp_path) -> Iterator[Rig]:
    made = request.param(tmp_path)
    yield made
    made.close()


def done(ended: list[StepEnded]) -> list[str]:
    assert all(each.outcome is Outcome.DONE for each in ended), ended
    return [each.step for each in ended]


def test_every_kind_of_step_is_carried_out_and_seen(rig):
    (first,) = rig.source.read(rig.now)
    here, there = rig.cloud_vms
    app_vms = {app_vm.id: app_vm for app_vm in first.app_vms}
    assert first.cloud_vms[first.placement[list(app_vms).index(rig.app_vm)]].id == here
    for action in (
        StartAppVM(AppVM("another"), there),
        Migrate(rig.app_vm, here, there),
        Cordon(here),
        ReleaseCloudVM(here),
        CreateCloudVM("third", rig.size),
    ):
        step = rig.execute(action)
        ended, observed = rig.turn()
        assert done(ended) == [step]
    assert [cloud_vm.id for cloud_vm in observed.cloud_vms] == [there, "third"]
    step = rig.execute(StopAppVM(rig.app_vm))
    ended, observed = rig.turn()
    assert [app_vm.id for app_vm in observed.app_vms] == ["another"]
    assert observed.placement.tolist() == [0]


def test_a_migration_is_measured(rig):
    rig.execute(Migrate(rig.app_vm, *rig.cloud_vms))
    ((ended,), _) = rig.turn()
    assert 0 < ended.downtime_s < ended.total_s < rig.turn_s
    assert ended.sent_bytes > 0


def test_submitting_again_while_under_way_is_once(rig):
    action = StartAppVM(AppVM("another"), rig.cloud_vms[1])
    for _ in range(3):
        rig.execute(action, "s1")
    ended, observed = rig.turn()
    assert done(ended) == ["s1"]
    assert [app_vm.id for app_vm in observed.app_vms].count("another") == 1


def test_an_outcome_is_told_once_unless_asked_for_again(rig):
    rig.execute(StopAppVM(rig.app_vm), "s1")
    first, _ = rig.turn()
    assert done(first) == ["s1"]
    again, _ = rig.turn()
    assert again == []
    rig.execute(StopAppVM(rig.app_vm), "s1")
    asked, _ = rig.turn()
    assert asked == first


def test_a_failure_is_remembered_like_a_success(rig):
    rig.execute(StopAppVM("ghost"), "s1")
    first, _ = rig.turn()
    rig.execute(StopAppVM("ghost"), "s1")
    assert rig.turn()[0] == first


def test_what_does_not_exist_fails_with_a_reason(rig):
    here, there = rig.cloud_vms
    for action in (
        StopAppVM("ghost"),
        StartAppVM(AppVM("x"), "ghost"),
        Migrate("ghost", here, there),
        Migrate(rig.app_vm, there, here),
        Migrate(rig.app_vm, here, "ghost"),
        ReleaseCloudVM("ghost"),
        Cordon("ghost"),
    ):
        step = rig.execute(action)
        ((ended,), _) = rig.turn()
        assert (ended.step, ended.outcome) == (step, Outcome.FAILED)
        assert ended.reason


def test_a_cloud_vm_that_hosts_an_app_vm_is_not_released(rig):
    rig.execute(ReleaseCloudVM(rig.cloud_vms[0]))
    ((ended,), observed) = rig.turn()
    assert ended.outcome is Outcome.FAILED
    assert ended.reason
    assert observed.placement.tolist() == [0]


def test_an_undo_is_carried_out_under_its_own_id(rig):
    here, there = rig.cloud_vms
    step = Step("s1", Migrate(rig.app_vm, here, there), undo=Migrate(rig.app_vm, there, here))
    rig.actuator.submit(Execute(step, cause="e1"), rig.now)
    assert done(rig.turn()[0]) == ["s1"]
    for _ in range(2):
        rig.actuator.submit(Undo(step, "s1-undo", Migrate(rig.app_vm, there, here), cause="e2"), rig.now)
    ended, observed = rig.turn()
    assert done(ended) == ["s1-undo"]
    assert observed.placement.tolist() == [0]


def test_an_observation_is_well_formed_and_never_from_the_future(rig):
    _, first = rig.turn()
    assert None not in (first.catalogue, first.cloud_vms, first.app_vms, first.services)
    before = first.sampled_at
    for _ in range(3):
        _, observed = rig.turn()
        rows = len(first.app_vms)
        assert observed.at == rig.now
        assert observed.placement.shape == observed.sampled_at.shape == (rows,)
        assert {series.shape for series in observed.samples.values()} == {(rows,)}
        assert ((before <= observed.sampled_at) & (observed.sampled_at <= observed.at)).all()
        fresh = observed.sampled_at > before
        assert not any(np.isnan(series[fresh]).any() for series in observed.samples.values())
        before = observed.sampled_at
