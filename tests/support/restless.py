"""A controller that always has something to do: a strategy that wishes each of the six actions in turn, and a cluster for it.

Shared by tests of crashes, the loop, journals and verification, none of which care whether the wishes are wise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.engine import Toolbox
from autoscaler.core.model import Action, CloudVMSize
from autoscaler.core.policy import Budget, Limits, Policy, StrategySpec
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.sim.scenario import (
    GIB,
    MIB,
    MONDAY,
    DemandShape,
    Faults,
    Scenario,
    SimulatedAppVM,
    SimulatedCloudVM,
    SimulatedService,
)

EVERY_S = 60.0
WEB = "web"
BIG, LITTLE = "big", "little"


@dataclass(frozen=True)
class Restless:
    """One kind of wish per minute, in turn; which one follows from the time, what it is about from the snapshot."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        minute = int((snapshot.at - MONDAY) // EVERY_S)
        hosts = [row for row in range(len(snapshot.cloud_vms)) if len(snapshot.by_cloud_vm[row])]
        if not hosts:
            return ()
        return tuple(WISHES[minute % len(WISHES)](snapshot, hosts[minute % len(hosts)]))


def _scale_out(snapshot: Snapshot, row: int) -> Iterator[Proposal]:
    del snapshot, row
    yield ScaleOut(WEB, "one more")


def _scale_in(snapshot: Snapshot, row: int) -> Iterator[Proposal]:
    del row
    replicas = snapshot.by_service[0]
    if len(replicas) > 1:
        yield ScaleIn(WEB, snapshot.app_vms[int(replicas[-1])].id, "one less")


def _resize(snapshot: Snapshot, row: int) -> Iterator[Proposal]:
    cloud_vm = snapshot.cloud_vms[row]
    if cloud_vm.size.name == LITTLE:
        yield ScaleUp(cloud_vm.id, BIG, "bigger")
    else:
        yield ScaleDown(cloud_vm.id, LITTLE, "smaller")


def _separate(snapshot: Snapshot, row: int) -> Iterator[Proposal]:
    here = snapshot.by_cloud_vm[row]
    if len(here) > 1:
        move = Move(snapshot.app_vms[int(here[0])].id, None)
        yield Separate(snapshot.cloud_vms[row].id, (move,), "apart", new_size=LITTLE)


def _consolidate(snapshot: Snapshot, row: int) -> Iterator[Proposal]:
    room = np.argsort(snapshot.on_cloud_vms(snapshot.inventory.app_memory_bytes), kind="stable")
    others = [int(other) for other in room if int(other) != row and snapshot.inventory.cloud_active[int(other)]]
    if others:
        target = snapshot.cloud_vms[others[0]].id
        moves = tuple(Move(snapshot.app_vms[int(app)].id, target) for app in snapshot.by_cloud_vm[row])
        yield Consolidate(snapshot.cloud_vms[row].id, moves, "together")


WISHES: tuple[Callable[[Snapshot, int], Iterator[Proposal]], ...] = (
    _scale_out,
    _separate,
    _resize,
    _scale_out,
    _consolidate,
    _scale_in,
    _resize,
)

BUDGETS = (
    Budget((Action.SCALE_OUT,), count=8, per_s=3600.0),
    Budget((Action.SCALE_UP, Action.SCALE_DOWN, Action.SEPARATE, Action.CONSOLIDATE), count=14, per_s=3600.0),
)


def policy(**more) -> Policy:
    limits = Limits(
        worth_it_k=None, cpu_headroom_fraction=0.0, memory_headroom_fraction=0.0, cpu_overcommit=100.0, budgets=BUDGETS
    )
    return Policy("restless", StrategySpec("restless"), limits=limits, **{"window_samples": 4, **more})


def toolbox() -> Toolbox:
    return Toolbox(build_strategy=lambda _spec: Restless(), compile_condition=lambda text: {}[text])


def scenario(**more) -> Scenario:
    """Three cloud VMs, three replicas of `web`, four app VMs of their own; steps take between no time and three ticks, and
    now and then one fails or is slow."""
    own = tuple(
        SimulatedAppVM(f"own-{row}", memory_bytes=512 * MIB, demand=DemandShape(base_cores=0.2)) for row in range(4)
    )
    return Scenario(
        catalogue=(CloudVMSize(LITTLE, 2.0, 2 * GIB, 0.05), CloudVMSize(BIG, 4.0, 4 * GIB, 0.1)),
        cloud_vms=tuple(SimulatedCloudVM(f"cloud-{row}", BIG) for row in range(3)),
        services=(
            SimulatedService(
                WEB, replicas=3, max_replicas=8, memory_bytes=256 * MIB, demand=DemandShape(base_cores=1.5)
            ),
        ),
        app_vms=own,
        **{
            "seed": 4,
            "faults": Faults(failed_step_probability=0.03, slow_step_probability=0.1, lost_sample_probability=0.01),
            **more,
        },
    )
