"""`optimal` does not shuttle anybody to and fro: over a week of random demand, the bounds that its policy states are held.

The bounds: a saving that touches what was touched before waits for its cooldown, and in any 24 h no app VM moves more often than its
downtime budget allows at the least pause of a migration (0.2 s).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from driving import drive

from autoscaler import registry
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Execute, PolicyChanged, Record, Undo
from autoscaler.core.migration import HANDOVER_S
from autoscaler.core.model import Action, CloudVMSize
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.steps import Migrate
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import GIB, DemandShape, Scenario, SimulatedCloudVM, SimulatedService
from autoscaler.sim.world import World

DAY_S, TICK_S, WEEK_TICKS = 86400.0, 1200.0, 504
COOLDOWN_S, BUDGET_S = 3600.0, 1.0
SAVING = [action for action in Action if action.saves_money]
LIMITS = Limits(
    cooldown_s=dict.fromkeys(SAVING, COOLDOWN_S), downtime_budget_s=BUDGET_S, worth_it_k=None, fresh_s=3 * TICK_S
)


def restless(seed: int) -> Scenario:
    """Three services whose demand swings, bursts and trembles, on cloud VMs of two sizes."""
    luck = np.random.default_rng(seed)
    services = tuple(
        SimulatedService(
            id=f"s{n}",
            replicas=3,
            max_replicas=10,
            demand=DemandShape(
                base_cores=float(luck.uniform(0.1, 1.0)),
                swing_cores=float(luck.uniform(0.5, 4.0)),
                peak_hour=float(luck.uniform(0, 24)),
                burst_cores=float(luck.uniform(0.0, 2.0)),
                burst_period_s=float(luck.uniform(2, 8)) * 3600,
                noise_fraction=float(luck.uniform(0.0, 0.3)),
            ),
        )
        for n in range(3)
    )
    catalogue = (CloudVMSize("small", 2.0, 4 * GIB, 0.05), CloudVMSize("large", 8.0, 16 * GIB, 0.19))
    return Scenario(
        catalogue=catalogue,
        cloud_vms=tuple(SimulatedCloudVM(f"c{n}", "large") for n in range(3)),
        services=services,
        seed=seed,
        demand_step_s=TICK_S,
    )


def week(seed: int):
    """(time, proposal) of all that was granted, and (time, app VM) of all migrations begun."""
    scenario = restless(seed)
    cluster, engine = SimulatedCluster(World(scenario)), Engine(Toolbox(registry.build, lambda _text: lambda _: True))
    strategy = StrategySpec("optimal", {"samples": 6, "hurdle": 1.0, "least_saving_fraction": 0.0})
    engine.handle(PolicyChanged(scenario.start_at, Policy("week", strategy, limits=LIMITS, every_s=TICK_S), id="e0"))
    commanded = drive(engine, cluster, TICK_S, WEEK_TICKS)
    granted = [(now, p) for now, c in commanded if isinstance(c, Record) for p in c.audit.decision.granted]
    steps = [(now, c.step.action) for now, c in commanded if isinstance(c, Execute | Undo)]
    moved = [(now, action.app_vm) for now, action in steps if isinstance(action, Migrate)]
    return granted, moved


@pytest.mark.parametrize("seed", [1])
def test_a_week_of_random_demand_shuttles_nobody(seed: int) -> None:
    granted, moved = week(seed)
    assert any(p.action is Action.CONSOLIDATE for _, p in granted)
    assert moved
    touched: dict[str, float] = {}
    for at, proposal in granted:
        for subject in proposal.subjects if not proposal.action.changes_replicas else ():
            if proposal.action.saves_money:
                since = at - touched.get(subject, -np.inf)  # 0: parts of one decision, such as a replacement
                assert since == 0 or since >= COOLDOWN_S, (at, proposal)
        if not proposal.action.changes_replicas:
            touched |= dict.fromkeys(proposal.subjects, at)
    times = defaultdict(list)
    for at, app_vm in moved:
        times[app_vm].append(at)
    for app_vm, moments in times.items():
        for first in moments:
            assert sum(first <= at < first + DAY_S for at in moments) <= BUDGET_S / HANDOVER_S, app_vm
