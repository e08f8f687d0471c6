"""What a simulated cluster is at its beginning, as plain values: the config document maps to these fields one to one.

Separate so that a world can be described (config, tests, tuning) without knowing how it works. Values and defaults only:
no behaviour, no arrays. Units stand last in names; times of day are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.core.model import CloudVMSize

MIB = 1 << 20
GIB = 1 << 30
MONDAY = 1767571200.0  # 2026-01-05T00:00:00Z


@dataclass(frozen=True, slots=True)
class Flash:
    """A flash crowd: `cores` more demand, rising and falling linearly. `every_s` 0 = once."""

    at_s: float
    cores: float
    rise_s: float = 300.0
    hold_s: float = 1800.0
    fall_s: float = 1800.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DemandShape:
    """Demand in cores: the sum of its parts, times the weekend's factor, times 1 + noise; 0 switches a part off.

    `swing_cores` is added in full at `peak_hour` and not at all twelve hours away; `sharpness` above 1 narrows the peak.
    `burst_cores` is added during the first `burst_fraction` of every `burst_period_s` (on/off), shifted by `burst_offset_s`.
    """

    base_cores: float = 0.0
    swing_cores: float = 0.0
    peak_hour: float = 14.0
    sharpness: float = 1.0
    weekend_factor: float = 1.0
    burst_cores: float = 0.0
    burst_period_s: float = 7200.0
    burst_fraction: float = 0.5
    burst_offset_s: float = 0.0
    noise_fraction: float = 0.0
    flashes: tuple[Flash, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How an app VM uses memory: in use = allocated x (idle + busy x load), dirtied = `dirty_bytes_per_core_s` x cores used."""

    idle_memory_fraction: float = 0.4
    busy_memory_fraction: float = 0.4
    dirty_bytes_per_core_s: float = 8e6


@dataclass(frozen=True, slots=True)
class SimulatedCloudVM:
    """A cloud VM that is there, and active, from the start. `size`: a name in the catalogue."""

    id: str
    size: str


@dataclass(frozen=True, slots=True)
class SimulatedService:
    """A service and what its replicas look like; `on` names the cloud VMs its first replicas start on, in turn."""

    id: str
    replicas: int = 1
    min_replicas: int = 1
    max_replicas: int = 1
    cores: float = 1.0
    memory_bytes: int = 64 * MIB
    apart_from: tuple[str, ...] = ()
    downtime_budget_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    demand: DemandShape = DemandShape()
    behaviour: Behaviour = Behaviour()
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SimulatedAppVM:
    """An app VM that belongs to no service and has a demand of its own; `on` empty = wherever there is most room."""

    id: str
    cores: float = 1.0
    memory_bytes: int = 64 * MIB
    pinned_to: str = ""
    apart_from: tuple[str, ...] = ()
    downtime_budget_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    demand: DemandShape = DemandShape()
    behaviour: Behaviour = Behaviour()
    on: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, and how fast a migration is. `bandwidth_bytes_per_s` is that of one cloud VM's network; the
    migrations that begin on it share it (see actions.bandwidth)."""

    cloud_vm_start_up_s: float = 90.0
    cloud_vm_release_s: float = 5.0
    app_vm_start_s: float = 1.0
    app_vm_stop_s: float = 0.5
    cordon_s: float = 0.0
    bandwidth_bytes_per_s: float = 125e6  # 1 Gbit/s


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong. A slow step takes `slow_step_factor` times as long (a migration: has that much less bandwidth)."""

    failed_step_probability: float = 0.0
    slow_step_probability: float = 0.0
    slow_step_factor: float = 3.0
    lost_sample_probability: float = 0.0
    silent_probability: float = 0.0
    deaths_per_cloud_vm_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole world at its first instant. Demand is constant within each `demand_step_s`.

    `minimum_billing_s`: a cloud VM released (or dead) before that age is charged for that long all the same.
    """

    catalogue: tuple[CloudVMSize, ...] = ()
    cloud_vms: tuple[SimulatedCloudVM, ...] = ()
    services: tuple[SimulatedService, ...] = ()
    app_vms: tuple[SimulatedAppVM, ...] = ()
    start_at: float = MONDAY
    seed: int = 1
    demand_step_s: float = 60.0
    minimum_billing_s: float = 60.0
    timing: Timing = field(default_factory=Timing)
    faults: Faults = field(default_factory=Faults)
