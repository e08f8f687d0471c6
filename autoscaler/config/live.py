"""The settings of a real cluster: where its cloud VMs come from, which sizes there are, what its services run.

Separate from settings.py because a live cluster is described and not named. Values, their documentation, and what must fit
together; nothing is opened here. Paths are as settings.py has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from autoscaler.adapters.agents.recipes import parse_pool
from autoscaler.agent.descriptions import MEMORY_LEAST_BYTES
from autoscaler.config.hypervisors import LibvirtSettings
from autoscaler.core.model import CloudVMSize
from autoscaler.errors import UsageError
from autoscaler.policylang.references import Misfit, bounds, twice, unknown
from autoscaler.policylang.tree import brief

MIB = 1 << 20
SERVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")  # names of its app VMs add two numbers and stay under 63


def _told(default: Any, doc: str, **more: Any) -> Any:
    return field(default=default, metadata={"doc": doc, **more})


def _needed(doc: str, **more: Any) -> Any:
    return field(metadata={"doc": doc, **more})


@dataclass(frozen=True, slots=True)
class LabSettings:
    """A lab of this machine: cloud VMs of the catalogue's sizes are made and removed while the controller runs."""

    name: str = _told("lab", "which lab; `flexcapsule lab up --name NAME` makes it")
    most: int = _told(8, "cloud VMs that the machine can carry at once", ge=1, le=90)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """A machine that exists, with Xen and an agent. Releasing it puts it on the shelf, renting takes it from there."""

    name: str = _needed("its name, as in its agent's certificate")
    size: str = _needed("a name in the catalogue")
    address: str = _needed("where its agent answers: an address or name, with :PORT if that is not 8650")
    back_address: str = _told("", "where other agents reach it for migrations; left out: `address`")


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Where cloud VMs come from: one of these."""

    lab: LabSettings | None = field(default=None, metadata={"doc": "a lab of this machine"})
    static: tuple[HostSettings, ...] = field(default=(), metadata={"doc": "hosts that exist"})
    libvirt: LibvirtSettings | None = field(default=None, metadata={"doc": "hosts without an agent (docs/libvirt.md)"})


@dataclass(frozen=True, slots=True)
class LiveService:
    """A service, and how its replicas are made."""

    id: str = _needed("its name")
    image: str = _needed("its image: a file in the directory of images")
    max_replicas: int = _needed("most replicas", ge=0, le=1e6)
    min_replicas: int = _told(1, "fewest replicas", ge=0, le=1e6)
    cores: float = _told(1.0, "cores allocated", gt=0.0, le=64.0)
    memory_bytes: int = _told(64 * MIB, "memory allocated", ge=MEMORY_LEAST_BYTES, le=2.0**40)
    environment: tuple[tuple[str, str], ...] = _told((), "variables")
    arguments: tuple[str, ...] = _told((), "words after the application's name")
    disk: str = _told("", "a disk image: a file in the directory of images")
    files: str = _told("", "a cpio archive of files: a file in the directory of images")
    port: int = _told(0, "where it answers clients; 0: the load balancer leaves it alone", ge=0, le=65535)
    stop_patience_s: float = _told(10.0, "how long it may take to end when it is stopped", ge=0.0, le=3600.0)
    apart_from: tuple[str, ...] = _told((), "services it never shares a cloud VM with (its own: replicas apart)")
    downtime_budget_s: float | None = _told(None, "most pause by migrations in 24 h; `none`: the policy's")
    labels: tuple[tuple[str, str], ...] = _told((), "yours; nothing is decided by them")


@dataclass(frozen=True, slots=True)
class HAProxySettings:
    """One that runs (`socket`), or one that is started and outlives the controller (`directory` and `frontends`)."""

    socket: str = _told("", "the runtime API of one that runs: a `stats socket` with level admin", path=True)
    directory: str = _told("", "where one of our own is started, with its socket and configuration", path=True)
    frontends: tuple[tuple[str, str], ...] = _told(
        (), "of our own: service: where clients reach it, like 10.77.1.254:8080"
    )
    backends: tuple[tuple[str, str], ...] = _told((), "service: its backend's name, where that is another")
    drain_patience_s: float = _told(30.0, "the longest that requests under way hold up a stop", ge=0.0, le=3600.0)


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """Clients' way to the replicas of services that have a port: one of these."""

    haproxy: HAProxySettings | None = field(default=None, metadata={"doc": "HAProxy, through its runtime API"})
    hook: tuple[str, ...] = _told((), "a program of yours and its arguments, called with `keep` and `drained`")


@dataclass(frozen=True, slots=True)
class Live:
    """A real cluster: agents on cloud VMs that a provider rents out."""

    provider: ProviderSettings = field(metadata={"doc": "where cloud VMs come from"})
    catalogue: tuple[CloudVMSize, ...] = _needed("sizes of cloud VM; `memory` is what one offers to app VMs")
    services: tuple[LiveService, ...] = _told((), "services")
    images: str = _told(".", "the directory of images", path=True)
    keys: str = _told("", "the directory of keys (`flexcapsule keys`); left out: the lab's own", path=True)
    addresses: str = _told("", "app VMs' addresses, like 10.77.1.101-10.77.1.250/24; left out: by DHCP")
    gateway: str = _told("", "app VMs' way out, if there is one")
    load_balancer: BalancerSettings | None = field(default=None, metadata={"doc": "kept at the replicas that run"})


def misfits(live: Live) -> Iterator[Misfit]:
    """What does not fit together, by place in the document."""
    sizes = dict.fromkeys(size.name for size in live.catalogue)
    yield from twice("catalogue", "name", (size.name for size in live.catalogue))
    yield from twice("services", "id", (service.id for service in live.services))
    yield from _provider_misfits(live, sizes)
    for row, service in enumerate(live.services):
        yield from bounds(("services", row), service.min_replicas, service.max_replicas)
        if not SERVICE_ID.fullmatch(service.id):
            yield (
                ("services", row, "id"),
                f"{brief(service.id)} cannot name app VMs; expected up to 40 letters, digits and _.-",
            )
        partners = dict.fromkeys(other.id for other in live.services)
        for number, partner in enumerate(service.apart_from):
            yield from unknown(("services", row, "apart_from", number), "service", partners, partner)
    yield from _address_misfits(live)
    yield from _balancer_misfits(live)


def _provider_misfits(live: Live, sizes: dict[str, None]) -> Iterator[Misfit]:
    provider = live.provider
    if [provider.lab is None, not provider.static, provider.libvirt is None].count(False) != 1:
        yield ("provider",), "expected one of `lab`, `static` and `libvirt`"
    if live.provider.static and not live.keys:
        yield ("provider", "static"), "hosts need keys; expected cluster.live.keys, made by `flexcapsule keys init`"
    hosts = (host.name for host in live.provider.static)
    yield from ((("provider", *steps), message) for steps, message in twice("static", "name", hosts))
    for row, host in enumerate(live.provider.static):
        yield from unknown(("provider", "static", row, "size"), "size of the catalogue", sizes, host.size)
    if provider.libvirt is not None:
        yield from _libvirt_misfits(provider.libvirt, sizes)


def _libvirt_misfits(libvirt: LibvirtSettings, sizes: dict[str, None]) -> Iterator[Misfit]:
    place = ("provider", "libvirt")
    if not libvirt.hosts:
        yield (*place, "hosts"), "expected one host or more"
    yield from (
        ((*place, *steps), message) for steps, message in twice("hosts", "name", (host.name for host in libvirt.hosts))
    )
    for row, host in enumerate(libvirt.hosts):
        yield from unknown((*place, "hosts", row, "size"), "size of the catalogue", sizes, host.size)
    try:
        libvirt.command_line.format(address="", gateway="")
    except (KeyError, IndexError, ValueError):
        message = (
            f"{brief(libvirt.command_line)} cannot be filled in; only {{address}} and {{gateway}} may stand in braces"
        )
        yield (*place, "command_line"), message


def _address_misfits(live: Live) -> Iterator[Misfit]:
    try:
        if live.addresses:
            parse_pool(live.addresses)
    except UsageError as error:
        yield ("addresses",), str(error)
    try:
        if live.gateway:
            IPv4Address(live.gateway)
    except ValueError:
        yield ("gateway",), f"{brief(live.gateway)} is no address; expected one like 10.77.1.254"


def _balancer_misfits(live: Live) -> Iterator[Misfit]:
    settings, ported = live.load_balancer, dict.fromkeys(service.id for service in live.services if service.port)
    if settings is None:
        return
    haproxy = settings.haproxy
    if (haproxy is None) == (not settings.hook):
        yield ("load_balancer",), "expected either `haproxy` or `hook`"
    if haproxy is not None and bool(haproxy.socket) == bool(haproxy.directory):
        yield ("load_balancer", "haproxy"), "expected either `socket` (one that runs) or `directory` (one to start)"
    if haproxy is not None and haproxy.directory:
        for name in ported.keys() - dict(haproxy.frontends).keys():
            yield (
                ("load_balancer", "haproxy"),
                f"service {name} has a port and no frontend; expected {name}: ADDRESS:PORT in frontends",
            )
    for where in ("frontends", "backends"):
        for name, _ in getattr(haproxy, where, ()):
            yield from unknown(("load_balancer", "haproxy", where, name), "service with a port", ported, name)
