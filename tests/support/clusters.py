"""Small clusters for tests, written down in a line: who runs where, and what was measured. Values only, no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from autoscaler.core.events import Observed
from autoscaler.core.history import History
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, Snapshot

MIB = 1 << 20
T0 = 1_000_000.0
CATALOGUE = (
    CloudVMSize("small", 2.0, 1000 * MIB, 1.0),
    CloudVMSize("medium", 4.0, 2000 * MIB, 2.0),
    CloudVMSize("large", 8.0, 4000 * MIB, 4.0),
)
SIZES = {size.name: size for size in CATALOGUE}


def app(name: str, mib: int = 100, cores: float = 1.0, **more) -> AppVM:
    """An app VM; one called `web-1` is a replica of `web`, one without a dash belongs to no service."""
    return AppVM(
        name, service=more.pop("service", name.rpartition("-")[0]), cores=cores, memory_bytes=mib * MIB, **more
    )


def service(name: str, at_least: int = 1, at_most: int = 10, **template) -> Service:
    return Service(name, at_least, at_most, app(f"{name}-template", **template))


def cluster(
    places: Mapping[str, Sequence[AppVM | str]],
    *,
    sizes: Mapping[str, str] | None = None,
    states: Mapping[str, str] | None = None,
    services: Sequence[Service] = (),
    cpu: Mapping[str, float] | None = None,
    ages: Mapping[str, float] | None = None,
    dirty: float = 0.0,
    at: float = T0,
) -> Observed:
    """`places`: cloud VM -> who runs there ("" = on none). Sizes are medium, states active, CPU in use 0.5 cores, memory in
    use half of what is allocated, samples fresh, where nothing else is said."""
    clouds = [name for name in places if name]
    apps = [(a if isinstance(a, AppVM) else app(a), name) for name, here in places.items() for a in here]
    names = [a.id for a, _ in apps]
    return Observed(
        at=at,
        placement=np.array([clouds.index(name) if name else -1 for _, name in apps], dtype=np.int64),
        sampled_at=np.array([at - (ages or {}).get(name, 0.0) for name in names]),
        samples={
            CPU: np.array([(cpu or {}).get(name, 0.5) for name in names]),
            MEMORY: np.array([a.memory_bytes / 2 for a, _ in apps]),
            DIRTY: np.full(len(apps), dirty),
        },
        catalogue=CATALOGUE,
        cloud_vms=tuple(
            CloudVM(name, SIZES[(sizes or {}).get(name, "medium")], CloudVMState((states or {}).get(name, "active")))
            for name in clouds
        ),
        app_vms=tuple(a for a, _ in apps),
        services=tuple(services),
    )


def snapshot(observed: Observed, **flight) -> Snapshot:
    """`flight`: in_flight, reserved_bytes."""
    return replace(History(1).extend(observed).snapshot(observed.at), **flight)
