"""The world of `config.example.yaml`: a small company's weekday, in which each of the six actions is worth doing.

Separate from scenario.py because it is one choice of values, with the reasons for them. Values only.

It begins at six in the morning with too many replicas and four big, nearly idle cloud VMs: one can be emptied at once
(consolidate), and as the three `store` replicas keep apart, what is left after that is saved by smaller cloud VMs (scale down,
scale in). Then demand grows (scale out) and cloud VMs fill up (separate, scale up). A flash crowd comes at half past ten.
"""

from __future__ import annotations

from autoscaler.core.model import CloudVMSize
from autoscaler.sim.scenario import (
    GIB,
    MIB,
    MONDAY,
    Behaviour,
    DemandShape,
    Faults,
    Flash,
    Scenario,
    SimulatedAppVM,
    SimulatedCloudVM,
    SimulatedService,
)

DAY_S = 86400.0
SIX = MONDAY + 6 * 3600.0

# Prices per hour like those of compute-optimised cloud VMs in 2026; a bigger one costs slightly less per core.
CATALOGUE = (
    CloudVMSize("small", cores=2.0, memory_bytes=4 * GIB, price_per_hour=0.052),
    CloudVMSize("medium", cores=4.0, memory_bytes=8 * GIB, price_per_hour=0.100),
    CloudVMSize("large", cores=8.0, memory_bytes=16 * GIB, price_per_hour=0.192),
    CloudVMSize("xlarge", cores=16.0, memory_bytes=32 * GIB, price_per_hour=0.368),
)

WEB = SimulatedService(
    id="web",
    replicas=8,
    min_replicas=2,
    max_replicas=20,
    cores=1.0,
    memory_bytes=128 * MIB,
    demand=DemandShape(
        base_cores=1.0,
        swing_cores=8.0,
        peak_hour=13.0,
        sharpness=1.5,
        weekend_factor=0.5,
        noise_fraction=0.06,
        flashes=(Flash(at_s=4.5 * 3600, cores=6.0, rise_s=300.0, hold_s=2700.0, fall_s=1800.0, every_s=DAY_S),),
    ),
)
API = SimulatedService(
    id="api",
    replicas=6,
    min_replicas=2,
    max_replicas=16,
    cores=0.5,
    memory_bytes=64 * MIB,
    demand=DemandShape(base_cores=0.6, swing_cores=4.0, peak_hour=15.0, weekend_factor=0.6, noise_fraction=0.05),
    behaviour=Behaviour(idle_memory_fraction=0.3, busy_memory_fraction=0.5),
)
SEARCH = SimulatedService(
    id="search",
    replicas=4,
    min_replicas=1,
    max_replicas=8,
    cores=1.0,
    memory_bytes=512 * MIB,
    demand=DemandShape(base_cores=0.4, swing_cores=3.0, peak_hour=11.0, noise_fraction=0.08),
    behaviour=Behaviour(idle_memory_fraction=0.6, busy_memory_fraction=0.3, dirty_bytes_per_core_s=16e6),
)
WORKER = SimulatedService(
    id="worker",
    replicas=4,
    min_replicas=1,
    max_replicas=8,
    cores=0.5,
    memory_bytes=256 * MIB,
    demand=DemandShape(
        base_cores=0.3, burst_cores=1.5, burst_period_s=3 * 3600.0, burst_fraction=0.3, burst_offset_s=2 * 3600.0
    ),
)
STORE = SimulatedService(
    id="store",
    replicas=3,
    min_replicas=3,
    max_replicas=3,
    cores=1.0,
    memory_bytes=512 * MIB,
    apart_from=("store",),  # a cloud VM that dies takes one copy at most
    downtime_budget_s=10.0,
    demand=DemandShape(base_cores=0.4, swing_cores=1.6, peak_hour=14.0, noise_fraction=0.04),
    behaviour=Behaviour(idle_memory_fraction=0.7, busy_memory_fraction=0.2, dirty_bytes_per_core_s=24e6),
)
OWN_APP_VMS = (
    SimulatedAppVM(  # holds a licence that is bound to its cloud VM
        id="ledger",
        cores=1.0,
        memory_bytes=256 * MIB,
        pinned_to="cloud-1",
        demand=DemandShape(base_cores=0.1, swing_cores=0.5, peak_hour=16.0),
    ),
    SimulatedAppVM(
        id="ledger-copy", cores=0.5, memory_bytes=256 * MIB, apart_from=("ledger",), demand=DemandShape(base_cores=0.1)
    ),
    SimulatedAppVM(
        id="reports",
        cores=2.0,
        memory_bytes=2 * GIB,
        demand=DemandShape(base_cores=0.1, swing_cores=1.7, peak_hour=10.0, sharpness=4.0, noise_fraction=0.05),
        behaviour=Behaviour(idle_memory_fraction=0.3, busy_memory_fraction=0.6, dirty_bytes_per_core_s=12e6),
    ),
    SimulatedAppVM(
        id="metrics", cores=0.5, memory_bytes=512 * MIB, demand=DemandShape(base_cores=0.15, noise_fraction=0.1)
    ),
)


def example_scenario() -> Scenario:
    """29 app VMs of 5 services and 4 of their own on 4 cloud VMs, with now and then a fault."""
    return Scenario(
        catalogue=CATALOGUE,
        cloud_vms=tuple(SimulatedCloudVM(f"cloud-{number}", "large") for number in range(1, 5)),
        services=(WEB, API, SEARCH, WORKER, STORE),
        app_vms=OWN_APP_VMS,
        start_at=SIX,
        faults=Faults(
            failed_step_probability=0.005,
            slow_step_probability=0.02,
            lost_sample_probability=0.002,
        ),
    )
