"""The honest PlanetLab world (`--world planetlab`): the experiment's machines and app VMs in the simulated cluster of the house.

Separate from experiment.py because here everything counts: nobody is removed, memory is enforced, an idle host draws idle
power, switching on takes time, migrations take what they take and pause. Only a scenario is built here.
"""

from __future__ import annotations

import numpy as np

from autoscaler.core.model import CloudVMSize
from autoscaler.errors import UsageError
from autoscaler.packing.power import MEASURED_W
from autoscaler.replay.worlds import Stage
from autoscaler.sim.cloudsim import facts
from autoscaler.sim.cloudsim.founding import first_fit
from autoscaler.sim.demand import RecordedDemand
from autoscaler.sim.scenario import Scenario, SimulatedAppVM, SimulatedCloudVM, Timing
from autoscaler.sim.traces import Trace

MIPS_PER_CORE = 1000.0  # what a core is in this world
MEMORY_OVERCOMMIT = 2.0  # of the hosts' 4 GiB: without it memory alone needs 320 of the 800 hosts
MIB = 1 << 20
PRICE_PER_KWH = 0.10  # the price of a host is that of its power at full load
SWITCH_ON_S = 90.0
BANDWIDTH_BYTES_PER_S = 62.5e6

SIZES = tuple(
    CloudVMSize(
        name,
        cores=mips * facts.HOST_PROCESSORS / MIPS_PER_CORE,
        memory_bytes=int(facts.HOST_MEMORY_MB * MIB * MEMORY_OVERCOMMIT),
        price_per_hour=watts[-1] / 1000.0 * PRICE_PER_KWH,
    )
    for (name, watts), mips in zip(MEASURED_W.items(), facts.HOST_MIPS, strict=True)
)


def honest_stage(trace: Trace, seed: int) -> Stage:
    """App VMs get the experiment's types by their order, and start where its first fit puts them. Raises UsageError."""
    if trace.kind != "app_vms":
        raise UsageError(f"trace {trace.name!r} is of services; --world planetlab replays app VMs")
    kind = facts.app_types(len(trace.subjects))
    cores = np.array(facts.APP_MIPS)[kind] / MIPS_PER_CORE
    memory = np.array(facts.APP_MEMORY_MB)[kind] * MIB
    placement = first_fit(facts.make_hosts(), kind)
    used = sorted(set(placement))
    app_vms = tuple(
        SimulatedAppVM(subject, cores=float(cores[row]), memory_bytes=int(memory[row]), on=f"host-{placement[row]}")
        for row, subject in enumerate(trace.subjects)
    )
    clouds = tuple(SimulatedCloudVM(f"host-{host}", SIZES[host % len(SIZES)].name) for host in used)
    scenario = Scenario(
        catalogue=SIZES,
        cloud_vms=clouds,
        app_vms=app_vms,
        start_at=trace.start_at,
        seed=seed,
        demand_step_s=trace.step_s,
        timing=Timing(cloud_vm_start_up_s=SWITCH_ON_S, bandwidth_bytes_per_s=BANDWIDTH_BYTES_PER_S),
    )
    share = trace.cores / trace.allocated_cores
    demand = RecordedDemand(trace.subjects, share * cores, start_at=trace.start_at, step_s=trace.step_s)
    return Stage(scenario, demand)
