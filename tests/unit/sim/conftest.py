"""A small world with round numbers, so that every expectation can be computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.model import CloudVMSize
from autoscaler.sim.scenario import (
    GIB,
    MIB,
    Behaviour,
    DemandShape,
    Scenario,
    SimulatedAppVM,
    SimulatedCloudVM,
    SimulatedService,
    Timing,
)

SMALL = CloudVMSize("small", cores=2.0, memory_bytes=1 * GIB, price_per_hour=3.6)  # 0.001 per second
LARGE = CloudVMSize("large", cores=4.0, memory_bytes=2 * GIB, price_per_hour=7.2)


@pytest.fixture
def scenario() -> Scenario:
    """Two small cloud VMs: `a` with two replicas of `web` (1.5 cores each), `b` with `own` alone (0.5 of 1 core)."""
    return Scenario(
        catalogue=(SMALL, LARGE),
        cloud_vms=(SimulatedCloudVM("a", "small"), SimulatedCloudVM("b", "small")),
        services=(
            SimulatedService(
                "web",
                replicas=2,
                max_replicas=4,
                cores=1.5,
                memory_bytes=256 * MIB,
                on=("a",),
                demand=DemandShape(base_cores=2.0),
            ),
        ),
        app_vms=(
            SimulatedAppVM(
                "own",
                cores=1.0,
                memory_bytes=512 * MIB,
                on="b",
                demand=DemandShape(base_cores=0.5),
                behaviour=Behaviour(0.25, 0.5, dirty_bytes_per_core_s=0.0),
            ),
        ),
        start_at=0.0,
        timing=Timing(bandwidth_bytes_per_s=64.0 * MIB),
    )


@pytest.fixture
def with_demand(scenario: Scenario):
    """The scenario with another constant demand of `web`."""

    def of(cores: float) -> Scenario:
        web = replace(scenario.services[0], demand=DemandShape(base_cores=cores))
        return replace(scenario, services=(web,))

    return of
