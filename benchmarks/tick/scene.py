"""A cluster with real work in every corner, of any size: what the tick is measured on. Values only.

About ten app VMs per cloud VM. Of the cloud VMs (8 cores, 16 GiB) one in ten is overloaded by its ten app VMs, one in fifty by a
single one; one in five idles, one in twenty is too big for the replica of a store that has it for itself; the rest is between. Two app VMs in five belong to a service of ten replicas whose load is
that of its kind, so that services want more and fewer replicas. Of the services one in ten keeps its replicas apart, of the
app VMs one in a hundred is pinned, one in ten has a downtime budget, and one sample in a hundred is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.events import Observed
from autoscaler.core.history import History
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, Service
from autoscaler.core.past import STEP_S, STEPS_MOST
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY

DAY_S = 86400.0
MIB, GIB = 1 << 20, 1 << 30
CATALOGUE = tuple(
    CloudVMSize(name, cores, int(2 * cores) * GIB, price)
    for name, cores, price in (
        ("small", 2.0, 0.052),
        ("medium", 4.0, 0.1),
        ("large", 8.0, 0.192),
        ("xlarge", 16.0, 0.368),
    )
)
REPLICAS = 10
SCATTERED = 4  # app VMs on each cloud VM of a scattered cluster
SERVED_FRACTION, APART_FRACTION, PINNED_FRACTION, BUDGET_FRACTION, LOST_FRACTION = 0.4, 0.1, 0.01, 0.1, 0.01


@dataclass(frozen=True, slots=True)
class Kind:
    """`cores`: what each of its `tenants` uses, on average."""

    share: float
    tenants: int
    cores: float


KINDS = {
    "hot": Kind(0.1, 10, 0.70),  # 88 % of 8 cores
    "giant": Kind(0.02, 1, 6.8),  # 85 %, by one app VM
    "cold": Kind(0.2, 12, 0.12),  # 18 %
    "store": Kind(0.05, 1, 2.0),  # 25 %, and half of the next smaller size
    "fair": Kind(0.63, 11, 0.44),  # 60 %
}
CORES = {"giant": 8.0, "store": 4.0}  # allocated; the others have one
MEMORY_MIB = {
    "cold": (1024,),
    "store": (7168,),
}  # so that a store's replica fits nowhere else, and on a smaller cloud VM
USUAL_MEMORY_MIB = (64, 128, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class Crowd:
    """The app VMs as columns: kind, cloud VM row."""

    kinds: tuple[str, ...]
    rows: tuple[int, ...]


def observations(
    app_vms: int, seed: int, ticks: int, every_s: float = 60.0, load_fraction: float = 1.0, scattered: bool = False
) -> list[Observed]:
    """`ticks` observations of a cluster of `app_vms` on a tenth as many cloud VMs; the first one is complete. `load_fraction`: of
    the usual use of CPU; at 0.5 nobody is overloaded. `scattered`: the same app VMs, dealt to a quarter as many cloud VMs as
    there are app VMs: everybody may stay, and hardly anybody should."""
    random = np.random.default_rng(seed)
    crowd = _crowd(app_vms)
    served, services = _services(crowd, random)
    crowd = _dealt(crowd, served) if scattered else crowd
    apps = tuple(_app_vm(n, crowd, served[n], random) for n in range(len(crowd.kinds)))
    clouds = tuple(CloudVM(f"cloud-{n}", CATALOGUE[2]) for n in range(max(crowd.rows) + 1))
    usual = load_fraction * np.array([KINDS[kind].cores for kind in crowd.kinds])
    placement = np.array(crowd.rows, dtype=np.int64)
    return [
        Observed(
            at=every_s * tick,
            placement=placement,
            sampled_at=np.full(len(apps), every_s * tick),
            samples=_samples(usual, apps, random),
            catalogue=CATALOGUE if tick == 0 else None,
            cloud_vms=clouds if tick == 0 else None,
            app_vms=apps if tick == 0 else None,
            services=services if tick == 0 else None,
            id=f"e{tick + 1}",
        )
        for tick in range(ticks)
    ]


def remembering(history: History, seed: int) -> History:
    """The same with two weeks in which each service had its own noisy days, and asked at this time of day for what it asks now."""
    random, past = np.random.default_rng(seed), history.past
    at = 2 * np.pi * np.arange(-STEPS_MOST, 0) * STEP_S / DAY_S
    swing, phase, noise = (
        random.uniform(low, high, (len(past.services), 1)) for low, high in ((0.1, 0.8), (0, 6), (0, 0.2))
    )
    wave = (1 + swing * np.sin(at + phase)) / (1 + swing * np.sin(phase))
    cores = past.newest[:, None] * wave * random.normal(1.0, noise, (len(past.services), STEPS_MOST)).clip(0.1, 3.0)
    return replace(history, past=replace(past, cores=cores))


def _crowd(app_vms: int) -> Crowd:
    """Cloud VM after cloud VM, the kinds well mixed, until all app VMs have a place."""
    kinds, rows = list[str](), list[int]()
    owed = dict.fromkeys(KINDS, 0.0)
    row = 0
    while len(kinds) < app_vms:
        for name, kind in KINDS.items():
            owed[name] += kind.share
        chosen = max(owed, key=lambda name: owed[name])
        owed[chosen] -= 1.0
        tenants = min(KINDS[chosen].tenants, app_vms - len(kinds))
        kinds += [chosen] * tenants
        rows += [row] * tenants
        row += 1
    return Crowd(tuple(kinds), tuple(rows))


def _dealt(crowd: Crowd, served: list[str]) -> Crowd:
    """A few to each cloud VM, replicas of a service apart."""
    order = sorted(range(len(served)), key=lambda n: (served[n], crowd.kinds[n], n))
    hosts, rows = max(1, len(order) // SCATTERED), [0] * len(order)
    for place, n in enumerate(order):
        rows[n] = place % hosts
    return Crowd(crowd.kinds, tuple(rows))


def _services(crowd: Crowd, random: np.random.Generator) -> tuple[list[str], tuple[Service, ...]]:
    """Replicas of one kind, spread over cloud VMs; (service of each app VM, services)."""
    served = [""] * len(crowd.kinds)
    services: list[Service] = []
    for kind in ("hot", "cold", "fair"):
        members = np.array([n for n, other in enumerate(crowd.kinds) if other == kind], dtype=np.int64)
        random.shuffle(members)
        chosen = members[: int(len(members) * SERVED_FRACTION)]
        for start in range(0, len(chosen), REPLICAS):
            service = f"service-{len(services)}"
            services.append(Service(service, 2, 40, AppVM("", service, 1.0, 128 * MIB)))
            for n in chosen[start : start + REPLICAS]:
                served[int(n)] = service
    store = [n for n, kind in enumerate(crowd.kinds) if kind == "store"]
    services.append(Service("store", len(store), len(store) + 1, AppVM("", "store", 4.0)))
    for n in store:
        served[n] = "store"
    return served, tuple(services)


def _app_vm(n: int, crowd: Crowd, service: str, random: np.random.Generator) -> AppVM:
    number = service.partition("-")[2]
    apart = service == "store" or (number != "" and int(number) % round(1 / APART_FRACTION) == 0)
    pinned = crowd.kinds[n] == "fair" and random.random() < PINNED_FRACTION
    return AppVM(
        f"app-{n}",
        service,
        cores=CORES.get(crowd.kinds[n], 1.0),
        memory_bytes=int(random.choice(MEMORY_MIB.get(crowd.kinds[n], USUAL_MEMORY_MIB))) * MIB,
        pinned_to=f"cloud-{crowd.rows[n]}" if pinned else "",
        apart_from=(service,) if apart else (),
        downtime_budget_s=5.0 if random.random() < BUDGET_FRACTION else None,
    )


def _samples(usual: np.ndarray, apps: tuple[AppVM, ...], random: np.random.Generator) -> dict[str, np.ndarray]:
    cpu = usual * random.normal(1.0, 0.03, len(usual)).clip(0.8, 1.2)
    memory = np.array([app_vm.memory_bytes for app_vm in apps]) * random.uniform(0.4, 0.7, len(apps))
    lost = random.random(len(usual)) < LOST_FRACTION
    cpu[lost] = np.nan
    memory[lost] = np.nan
    return {CPU: cpu, MEMORY: memory, DIRTY: cpu * 8e6}
