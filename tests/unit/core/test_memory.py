"""Months of work: what the engine remembers is bounded by what exists and by the windows of the policy, not by time."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
from clusters import CATALOGUE, MIB
from random_worlds import RandomWishes, Run

from autoscaler.core.events import Execute, OperatorSaid, Word
from autoscaler.core.model import Action
from autoscaler.core.policy import Budget, Limits, Policy, StrategySpec
from autoscaler.sim.scenario import DemandShape, Faults, Scenario, SimulatedCloudVM, SimulatedService, Timing

TICK_S = 7200.0
DAYS = 60

WORLD = Scenario(
    catalogue=CATALOGUE,
    cloud_vms=tuple(SimulatedCloudVM(f"c{n}", "medium") for n in range(4)),
    services=tuple(
        SimulatedService(f"s{n}", 3, 1, 6, 0.5, 100 * MIB, demand=DemandShape(base_cores=1.0)) for n in range(2)
    ),
    demand_step_s=86400.0,
    timing=Timing(cloud_vm_start_up_s=90.0),
    faults=Faults(
        failed_step_probability=0.1, deaths_per_cloud_vm_hour=0.002, slow_step_probability=0.01, slow_step_factor=5000.0
    ),
)
POLICY = Policy(
    "busy",
    StrategySpec("random"),
    limits=Limits(
        fresh_s=3 * TICK_S,
        worth_it_k=None,
        budgets=(Budget(tuple(Action), count=1000, per_s=86400.0),),
        cooldown_s={Action.SCALE_IN: 3 * TICK_S},
    ),
    every_s=TICK_S,
    window_samples=10,
)


def size_bytes(state) -> dict[str, int]:
    """Of each part of what is remembered; totals are a fixed set of numbers."""
    parts = ("history", "ledger", "sagas", "paused", "stuck", "seen_at", "last", "totals")
    return {part: len(pickle.dumps(getattr(state, part))) for part in parts}


def operate(run: Run, day: int, chance: np.random.Generator) -> None:
    """A person pauses somebody each second day, lets go on all that are still there, and looks after most of what is stuck."""
    app_vms = run.engine.state.history.inventory.app_vms
    for name in [app_vm.id for app_vm in app_vms if app_vm.id in run.engine.state.paused]:
        run.engine.handle(OperatorSaid(run.now, Word.RESUME, name, id=f"p{day}"))
    if day % 2 and app_vms:
        name = app_vms[chance.integers(len(app_vms))].id
        run.engine.handle(OperatorSaid(run.now, Word.PAUSE, name, id=f"o{day}"))
    for name in [name for name in run.engine.state.stuck if chance.random() < 0.8]:
        run.engine.handle(OperatorSaid(run.now, Word.RESUME, name, id=f"r{day}"))


def test_what_is_remembered_does_not_grow_with_time():
    """A decision every two hours, one failure in ten, slow steps that are given up, deaths, an operator who pauses whoever is there."""
    chance = np.random.default_rng(1)
    run = Run(WORLD, POLICY, RandomWishes(3))
    run.tick_s = TICK_S
    largest: list[dict[str, int]] = []
    steps = 0
    for day in range(DAYS):
        worst = dict.fromkeys(size_bytes(run.engine.state), 0)
        for _ in range(12):
            run.turns.clear()
            run.tick()
            steps += sum(isinstance(command, Execute) for _, _, commands in run.turns for command in commands)
            worst = {part: max(worst[part], size) for part, size in size_bytes(run.engine.state).items()}
        operate(run, day, chance)
        largest.append(worst)
    assert steps > 400
    totals = run.engine.state.totals
    assert totals.steps["migrate failed"] > 10
    third = DAYS // 3
    for part in largest[0]:
        early = max(day[part] for day in largest[:third])
        late = max(day[part] for day in largest[-third:])
        assert late < 1.5 * early + 1000, (part, early, late)
    forgotten = replace(run.engine.state)  # and what is paused or stuck is of the last week, or still there
    inventory = run.engine.state.history.inventory
    for id_ in (*forgotten.paused, *forgotten.stuck):
        known = id_ in inventory.app_row or id_ in inventory.cloud_row
        assert known or run.now - forgotten.seen_at[id_] <= 7 * 86400.0
