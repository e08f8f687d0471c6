"""The settings of hosts without an agent, which the controller drives through libvirt (docs/libvirt.md). Values and their
documentation, apart from live.py because most clusters have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


def _told(default: Any, doc: str, **more: Any) -> Any:
    return field(default=default, metadata={"doc": doc, **more})


def _needed(doc: str, **more: Any) -> Any:
    return field(metadata={"doc": doc, **more})


@dataclass(frozen=True, slots=True)
class LibvirtHostSettings:
    """A machine that exists, with libvirt. Releasing it puts it on the shelf, renting takes it from there."""

    name: str = _needed("its name")
    size: str = _needed("a name in the catalogue")
    uri: str = _needed("where the controller reaches its libvirt, like `qemu+ssh://host1/system`")
    migrate_uri: str = _told("", "where other hosts' libvirt reaches it; left out: `uri`")
    transfer_uri: str = _told("", "where memory is sent to, like `tcp://10.0.0.1`; left out: libvirt chooses")


@dataclass(frozen=True, slots=True)
class LibvirtSettings:
    """Hosts with libvirt, and how app VMs are made on all of them."""

    hosts: tuple[LibvirtHostSettings, ...] = _needed("the hosts")
    driver: Literal["xen", "qemu"] = _told("xen", "libvirt's driver: `xen` or `qemu`")
    images: str = _told("/var/lib/flexcapsule/images", "the directory on the hosts where images are, or are sent to")
    bridge: str = _told("", "the bridge that app VMs are put on; left out: no network")
    script: str = _told("", "xen: the hotplug script of their network interface; left out: libvirt's own")
    command_line: str = _told(
        "ip={address} gateway={gateway}",
        "words before an app VM's own; a word that would end in = is left out",
    )
    consoles: str = _told("", "qemu: the directory on the hosts for consoles' logs; left out: none are kept")
    cpu: str = _told("qemu64", "qemu: the CPU model of app VMs, one that all hosts have")
    emulated: bool = _told(False, "qemu: without KVM")
    downtime_s: float = _told(0.0, "longest pause of a migration; 0: the driver's own", ge=0.0, le=60.0)
    bandwidth_bytes_per_s: float = _told(0.0, "most that a migration sends; 0: the driver's own", ge=0.0, le=1e12)
