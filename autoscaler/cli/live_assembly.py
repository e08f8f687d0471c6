"""A live cluster from its settings: provider, agents, recipes, load balancer, and what of it is kept with the journal.

Separate from assembly.py because it is the only place that knows both the settings of a real cluster and its adapters. Choices,
no behaviour.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autoscaler.adapters import haproxy_process
from autoscaler.adapters.agents import AddressPool, Agents, Images, LiveCluster, Recipe, Wiring
from autoscaler.adapters.agents.cluster import Balancer
from autoscaler.adapters.agents.errands import Kept
from autoscaler.adapters.agents.look import Look, Notice
from autoscaler.adapters.agents.runtimes import Runtimes
from autoscaler.adapters.agents.sightings import Sightings
from autoscaler.adapters.balancer_hook import Hook
from autoscaler.adapters.haproxy import HAProxy
from autoscaler.adapters.libvirt_domains import LibvirtHost, LibvirtHosts, Making
from autoscaler.adapters.providers import Provider
from autoscaler.adapters.providers import lab as labs
from autoscaler.adapters.providers.static import Host, StaticHosts
from autoscaler.config.hypervisors import LibvirtSettings
from autoscaler.config.live import BalancerSettings, Live, LiveService
from autoscaler.core.history import History
from autoscaler.core.model import AppVM, Service
from autoscaler.errors import UsageError
from autoscaler.lab.layout import Layout

LIVE, HOSTS = "live", "hosts"  # what is kept beside the journal's entries
EPOCH_BYTES = 6


class Keeper(Protocol):
    """The journal, as far as it keeps what is no entry."""

    def kept(self, name: str) -> Any: ...

    def stage(self, name: str, tree: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Founded:
    """A live cluster, and when its journal began."""

    cluster: LiveCluster
    began_at: float


def live_cluster(live: Live, keeper: Keeper, *, now: float, history: Callable[[], History], notice: Notice) -> Founded:
    """Raises UsageError where this machine lacks what the settings name. `history`: what the journal knows of the cluster."""
    kept, began_at = _kept(keeper, now)
    recipes = {service.id: recipe(service) for service in live.services}
    provider, runtimes = _founded(live, keeper)
    look = Look(
        provider,
        runtimes,
        Sightings({name: each.service.template for name, each in recipes.items()}),
        history=history,
        notice=notice,
    )
    wiring = Wiring(
        look,
        kept,
        recipes,
        images(live),
        AddressPool(live.addresses) if live.addresses else None,
        live.gateway,
        balancer(live.load_balancer),
    )
    return Founded(LiveCluster(wiring), began_at)


def identity(live: Live) -> dict[str, str]:
    """What must not change under a journal: it belongs to one cluster."""
    if live.provider.libvirt is not None:
        return {"cluster": "hosts with libvirt"}
    return {"cluster": f"lab {live.provider.lab.name}" if live.provider.lab else "static hosts"}


def keys_directory(live: Live) -> Path:
    """Where the controller's keys are."""
    if live.keys or live.provider.lab is None:
        return Path(live.keys)
    return Layout(live.provider.lab.name).keys


def images(live: Live) -> Images:
    """Raises UsageError naming the file that a service lacks."""
    directory = Path(live.images)
    for service in live.services:
        for name in filter(None, (service.image, service.disk, service.files)):
            if not (directory / name).is_file():
                raise UsageError(
                    f"service {service.id} needs {name}, and {directory} has no such file; `make -C libos` builds images"
                )
    return Images(directory)


def recipe(service: LiveService) -> Recipe:
    template = AppVM(
        id="",
        service=service.id,
        cores=service.cores,
        memory_bytes=service.memory_bytes,
        apart_from=service.apart_from,
        downtime_budget_s=service.downtime_budget_s,
        labels=service.labels,
    )
    return Recipe(
        Service(service.id, service.min_replicas, service.max_replicas, template),
        service.image,
        service.environment,
        service.arguments,
        service.disk,
        service.files,
        service.port,
        service.stop_patience_s,
    )


def balancer(settings: BalancerSettings | None) -> Balancer | None:
    if settings is None:
        return None
    haproxy = settings.haproxy
    if haproxy is None:
        return Hook(settings.hook)
    if haproxy.directory:
        socket = haproxy_process.ensure(Path(haproxy.directory), dict(haproxy.frontends))
    else:
        socket = Path(haproxy.socket)
    return HAProxy(socket, dict(haproxy.backends), haproxy.drain_patience_s)


def _founded(live: Live, keeper: Keeper) -> tuple[Provider, Runtimes]:
    """Where cloud VMs come from, and who runs app VMs on them."""
    if live.provider.libvirt is None:
        return _provider(live, keeper), Agents(keys_directory(live))
    settings, sizes = live.provider.libvirt, {size.name: size for size in live.catalogue}
    runtimes = libvirt_hosts(settings)
    hosts = [Host(host.name, sizes[host.size], host.name, host.name) for host in settings.hosts]
    return _shelf(hosts, keeper, runtimes.settle), runtimes


def libvirt_hosts(settings: LibvirtSettings) -> LibvirtHosts:
    making = Making(
        settings.driver,
        settings.images,
        settings.bridge,
        settings.script,
        settings.command_line,
        settings.consoles,
        settings.cpu,
        settings.emulated,
    )
    hosts = [
        LibvirtHost(host.name, host.uri, host.migrate_uri or host.uri, host.transfer_uri) for host in settings.hosts
    ]
    return LibvirtHosts(
        hosts, making, downtime_s=settings.downtime_s, bandwidth_bytes_per_s=settings.bandwidth_bytes_per_s
    )


def _provider(live: Live, keeper: Keeper) -> Provider:
    settings = live.provider.lab
    if settings is not None:
        labs.check(settings.name)
        return labs.LabCloud(settings.name, live.catalogue, most=settings.most)
    sizes = {size.name: size for size in live.catalogue}
    hosts = [
        Host(host.name, sizes[host.size], host.address, host.back_address or host.address.split(":")[0])
        for host in live.provider.static
    ]
    return _shelf(hosts, keeper)


def _shelf(hosts: Sequence[Host], keeper: Keeper, on_sweep: Callable[[], None] = lambda: None) -> StaticHosts:
    return StaticHosts(hosts, keeper.kept(HOSTS), lambda in_use: keeper.stage(HOSTS, in_use), on_sweep)


def _kept(keeper: Keeper, now: float) -> tuple[Kept, float]:
    """The epoch is drawn once for each journal, before its first step: agents tell journals apart by it."""
    before = keeper.kept(LIVE)
    known = before or {"epoch": secrets.token_hex(EPOCH_BYTES), "began_at": now, "cordoned": [], "boots": {}}

    def stage(kept: Kept) -> None:
        boots = {id_: list(boot) for id_, boot in kept.boots.items()}
        keeper.stage(LIVE, {**known, "cordoned": list(kept.cordoned), "boots": boots})

    boots = {id_: (agent, boot) for id_, (agent, boot) in known.get("boots", {}).items()}
    kept = Kept(known["epoch"], dict.fromkeys(known["cordoned"]), boots, stage)
    if before is None:
        stage(kept)
    return kept, float(known["began_at"])
