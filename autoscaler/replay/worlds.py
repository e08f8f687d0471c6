"""The cluster that a trace is replayed in where none is named: big enough for its peak, and no bigger.

Separate because it only builds a scenario. Everything is placed by its own peak, so that leaving it as it is serves all of
demand: the policy `hold` in this world is what a cautious operator pays without an autoscaler.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.model import CloudVMSize
from autoscaler.core.snapshot import FloatArray
from autoscaler.errors import UsageError
from autoscaler.sim.demand import RecordedDemand
from autoscaler.sim.scenario import GIB, Scenario, SimulatedAppVM, SimulatedCloudVM, SimulatedService
from autoscaler.sim.traces import Trace

# Like the general-purpose and memory-optimised cloud VMs of 2026: 4 GiB and about 0.05 an hour per core, or 8 GiB and 0.066;
# a bigger one costs slightly less per core.
NAMES = ("small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge")
FAMILIES = (("", 4 * GIB, 0.05), ("memory-", 8 * GIB, 0.066))
SIZES = tuple(
    CloudVMSize(
        prefix + name, float(2 << step), (2 << step) * per_core, round(price * (2 << step) * (1 - 0.01 * step), 4)
    )
    for prefix, per_core, price in FAMILIES
    for step, name in enumerate(NAMES)
)
SERVICE_LOAD = 0.7  # of its cores that a replica of the peak-sized service uses at the peak
PEAK_CORES = 16.0  # a load recorded in other units is scaled to this, unless told otherwise


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What a replay happens in."""

    scenario: Scenario
    demand: RecordedDemand


def stage(trace: Trace, scenario: Scenario | None, seed: int, peak_cores: float = PEAK_CORES) -> Stage:
    """`scenario` None: the cluster of this module. Raises UsageError where trace and scenario do not fit together."""
    scaled = trace.in_cores(peak_cores)
    if scenario is None:
        scenario = _services(scaled) if trace.kind == "services" else _app_vms(scaled)
    else:
        scaled = replace(scaled, subjects=_matched(scaled, scenario))
    demand = RecordedDemand(
        scaled.subjects, scaled.cores, start_at=trace.start_at, step_s=trace.step_s, memory_bytes=scaled.memory_bytes
    )
    return Stage(replace(scenario, start_at=trace.start_at, seed=seed, demand_step_s=trace.step_s), demand)


def _matched(trace: Trace, scenario: Scenario) -> tuple[str, ...]:
    """The subjects by the scenario's ids; a single series drives the scenario's first service."""
    known = {service.id for service in scenario.services} | {app_vm.id for app_vm in scenario.app_vms}
    unknown = [subject for subject in trace.subjects if subject not in known]
    if not unknown:
        return trace.subjects
    if len(trace.subjects) == 1 and scenario.services:
        return (scenario.services[0].id,)
    raise UsageError(
        f"trace {trace.name!r} has demand of {unknown[0]!r} (and {len(unknown) - 1} more) that is neither a service nor an "
        "app VM of this world; name them alike, or leave --world out"
    )


def _services(trace: Trace) -> Scenario:
    size = SIZES[2]
    services = []
    clouds: list[SimulatedCloudVM] = []
    for column, subject in enumerate(trace.subjects):
        cores, memory_bytes = float(trace.allocated_cores[column]), int(trace.allocated_bytes[column])
        replicas = max(1, math.ceil(float(np.nanmax(trace.cores[:, column])) / (cores * SERVICE_LOAD)))
        each = max(1, min(int(size.cores // cores), size.memory_bytes // memory_bytes))
        count = math.ceil(replicas / each)
        mine = [SimulatedCloudVM(f"cloud-{len(clouds) + number}", size.name) for number in range(1, count + 1)]
        clouds += mine
        services.append(
            SimulatedService(
                id=subject,
                replicas=replicas,
                min_replicas=1,
                max_replicas=2 * replicas,
                cores=cores,
                memory_bytes=memory_bytes,
                on=tuple(cloud_vm.id for cloud_vm in mine),
            )
        )
    return Scenario(catalogue=SIZES, cloud_vms=tuple(clouds), services=tuple(services))


def _app_vms(trace: Trace) -> Scenario:
    peaks = np.nanmax(np.nan_to_num(trace.cores), axis=0)
    size, on, count = _cheapest(trace, peaks)
    app_vms = tuple(
        SimulatedAppVM(
            id=subject,
            cores=float(trace.allocated_cores[row]),
            memory_bytes=int(trace.allocated_bytes[row]),
            on=f"cloud-{on[row] + 1}",
        )
        for row, subject in enumerate(trace.subjects)
    )
    clouds = tuple(SimulatedCloudVM(f"cloud-{number}", size.name) for number in range(1, count + 1))
    return Scenario(catalogue=SIZES, cloud_vms=clouds, app_vms=app_vms)


def _cheapest(trace: Trace, peaks: FloatArray) -> tuple[CloudVMSize, Mapping[int, int], int]:
    """The size that holds all peaks for the least money (of equals the smallest), where everything then is, and how many."""
    cores, memory = float(peaks.max()), float(trace.allocated_bytes.max())
    possible = [size for size in SIZES if size.cores >= cores and size.memory_bytes >= memory]
    if not possible:
        raise UsageError(
            f"an app VM of trace {trace.name!r} needs {cores:.1f} cores and {memory / GIB:.0f} GiB; name a world that can hold "
            "it (--world)"
        )
    packed = [(size, *_packed(peaks, trace.allocated_bytes, size)) for size in possible]
    return min(packed, key=lambda found: found[0].price_per_hour * found[2])


def _packed(peaks: FloatArray, memory: FloatArray, size: CloudVMSize) -> tuple[Mapping[int, int], int]:
    """First fit, the biggest first: row -> number of its cloud VM, and how many there are."""
    share = np.maximum(peaks / size.cores, memory / size.memory_bytes)
    free: list[list[float]] = []
    on: dict[int, int] = {}
    for row in np.argsort(-share, kind="stable").tolist():
        cores, needs = float(peaks[row]), float(memory[row])
        where = next((n for n, (c, m) in enumerate(free) if c >= cores and m >= needs), len(free))
        if where == len(free):
            free.append([size.cores, float(size.memory_bytes)])
        free[where][0] -= cores
        free[where][1] -= needs
        on[row] = where
    return on, len(free)
