"""The lab's network: a namespace with two bridges, one tap per cloud VM on each, and one way in from the host.

`front` carries app VMs and management and is joined to the host by a veth pair; `back` carries transfers and libvirt's open
socket and exists only inside the namespace. There is no route out of either: nothing leaks. Removing is leftovers.py's work.
"""

from __future__ import annotations

import json

from autoscaler.errors import UsageError
from autoscaler.lab import record as records
from autoscaler.lab.command import output, run
from autoscaler.lab.layout import HOST, INSIDE, NUMBERS, Layout

BRIDGES = ("front", "back")


def tap(cloud_vm: str, bridge: str) -> str:
    return f"{cloud_vm}-{bridge}"


def taken_numbers() -> set[int]:
    """Numbers that labs of this cache have, and those whose network the host reaches already, by a lab or otherwise."""
    taken = {record.number for name in records.names() if (record := records.read(name))}
    for route in json.loads(output(["ip", "-json", "route", "show", "table", "all"])):
        parts = str(route.get("dst", "")).split("/")[0].split(".")
        if parts[:2] == ["10", "77"] and len(parts) == 4:
            taken.add(int(parts[2]))
    return taken


def free_number() -> int:
    """The first number nothing uses. Raises UsageError when all are."""
    taken = taken_numbers()
    for number in NUMBERS:
        if number not in taken:
            return number
    raise UsageError(f"all {len(NUMBERS)} lab networks are in use; `flexcapsule lab down` frees one")


def make_namespace(layout: Layout) -> None:
    """The namespace, its bridges and the host's way in; IPv6 off, so that nothing speaks unasked."""
    inside = ["ip", "-n", layout.namespace]
    run(["ip", "netns", "add", layout.namespace])
    run(
        [
            "ip",
            "netns",
            "exec",
            layout.namespace,
            "sysctl",
            "-qw",
            "net.ipv6.conf.all.disable_ipv6=1",
            "net.ipv6.conf.default.disable_ipv6=1",
            "net.ipv4.ip_forward=0",
        ],
        check=False,
    )
    run([*inside, "link", "set", "lo", "up"])
    for bridge in BRIDGES:
        run(
            [
                *inside,
                "link",
                "add",
                bridge,
                "type",
                "bridge",
                "stp_state",
                "0",
                "forward_delay",
                "0",
                "mcast_snooping",
                "0",
            ]
        )
        run([*inside, "link", "set", bridge, "up"])
    run([*inside, "addr", "add", f"{layout.front(INSIDE)}/24", "dev", "front"])
    run([*inside, "addr", "add", f"{layout.back(INSIDE)}/24", "dev", "back"])
    host = layout.host_interface
    run(["ip", "link", "add", host, "type", "veth", "peer", "name", "host", "netns", layout.namespace])
    run([*inside, "link", "set", "host", "master", "front", "up"])
    run(["sysctl", "-qw", f"net.ipv6.conf.{host}.disable_ipv6=1"], check=False)
    run(["ip", "addr", "add", f"{layout.front(HOST)}/24", "dev", host])
    run(["ip", "link", "set", host, "up"])


def make_taps(layout: Layout, cloud_vm: str) -> None:
    inside = ["ip", "-n", layout.namespace]
    for bridge in BRIDGES:
        name = tap(cloud_vm, bridge)
        run([*inside, "tuntap", "add", "dev", name, "mode", "tap"])
        run([*inside, "link", "set", name, "master", bridge, "up"])


def remove_taps(layout: Layout, cloud_vm: str) -> None:
    for bridge in BRIDGES:
        run(["ip", "-n", layout.namespace, "link", "delete", tap(cloud_vm, bridge)], check=False)


def sent_bytes(layout: Layout, cloud_vm: str, bridge: str) -> int:
    """Bytes that the cloud VM has sent into `bridge`, Ethernet headers included: what its tap has received from it."""
    links = json.loads(output(["ip", "-n", layout.namespace, "-json", "-stats", "link", "show", tap(cloud_vm, bridge)]))
    return int(links[0]["stats64"]["rx"]["bytes"])
