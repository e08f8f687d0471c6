"""A domain's place in XenStore, as libxl makes it: read of the half that leaves, made for the half that arrives, removed.

Separate because it is knowledge of one thing: which nodes a paravirtual domain, its console and its interfaces consist of
(libxl__domain_make, libxl__build_post and the device code of Xen 4.17). It is made before the stream comes, not after it as
libxl does: that is where half of the toolstack's pause went. No hypervisor calls here.
"""

from __future__ import annotations

from pathlib import Path

from autoscaler.agent.handover_passenger import Passenger, Vif
from autoscaler.agent.handover_store import DOM0_ONLY, Store
from autoscaler.errors import ActuationError

CONSOLE_LIMIT_BYTES = 1 << 20
VIF_SCRIPT = "/etc/xen/scripts/vif-fast"  # not called here; xl calls it should it remove the interface one day
USERDATA = Path("/var/lib/xen")
INITIALISING = "1"  # xen/include/public/io/xenbus.h
MOVABLE = {"console", "vif"}


def home(domid: int) -> str:
    return f"/local/domain/{domid}"


def frontend(domid: int, vif: Vif) -> str:
    return f"{home(domid)}/device/vif/{vif.devid}"


def backend(domid: int, vif: Vif) -> str:
    return f"/local/domain/0/backend/vif/{domid}/{vif.devid}"


def userdata(domid: int, app_vm: str) -> Path:
    """Where libxl looks for the configuration of a domain it is asked about."""
    return USERDATA / f"userdata-d.{domid}.{app_vm}.libxl-json"


def read_userdata(domid: int, app_vm: str) -> str:
    path = userdata(domid, app_vm)
    return path.read_text().rstrip("\0") if path.exists() else ""


def read_vifs(store: Store, domid: int) -> tuple[Vif, ...]:
    """The interfaces of a domain. Raises ActuationError where it has a device that cannot travel."""
    kinds = set(store.children(f"/libxl/{domid}/device"))
    if bound := sorted(kind for kind in kinds - MOVABLE if store.children(f"/libxl/{domid}/device/{kind}")):
        raise ActuationError(f"it has a device that stays where it is ({', '.join(bound)})", temporary=False)
    found = []
    for devid in store.children(f"/libxl/{domid}/device/vif"):
        place = f"/libxl/{domid}/device/vif/{devid}"
        mtu = store.read(f"{home(domid)}/device/vif/{devid}/mtu")
        found.append(Vif(int(devid), store.read(f"{place}/mac"), store.read(f"{place}/bridge"), int(mtu or 1500)))
    return tuple(found)


def make(store: Store, domid: int, passenger: Passenger, *, store_port: int, console_port: int) -> None:
    """The whole tree but for the frames, which come with the stream."""
    store.at_once(lambda inside: _make_home(inside, domid, passenger, store_port))
    store.at_once(lambda inside: _make_console(inside, domid, console_port))
    for vif in passenger.vifs:
        store.at_once(lambda inside, vif=vif: _make_vif(inside, domid, vif))  # type: ignore[misc]
    if passenger.toolstack:
        path = userdata(domid, passenger.app_vm)
        path.write_text(passenger.toolstack + "\0")  # libxl writes its terminator too, and counts on it
        path.chmod(0o600)


def _make_home(store: Store, domid: int, passenger: Passenger, store_port: int) -> None:
    place, known = home(domid), f"/vm/{passenger.app_vm}"
    readable, own = ("n0", f"r{domid}"), (f"n{domid}",)
    for old in (place, known, f"/libxl/{domid}"):
        store.remove(old)
    facts = {"vm": known, "name": passenger.name, "domid": str(domid)}
    store.make(place, facts, readable)
    store.make(known, {"uuid": passenger.app_vm, "name": passenger.name}, readable)
    store.make(f"/libxl/{domid}", {"type": "pv", "dm-version": "qemu_xen"}, DOM0_ONLY)
    store.make(f"/libxl/{domid}/device", {}, DOM0_ONLY)
    memory = {"static-max": str(passenger.static_kib), "target": str(passenger.target_kib), "videoram": "0"}
    store.make(f"{place}/memory", memory, readable)
    for core in range(passenger.cores):
        store.make(f"{place}/cpu/{core}", {"availability": "online"}, readable)
    store.make(f"{place}/store", {"port": str(store_port)}, readable)
    store.make(f"{place}/device", {}, readable)
    features = {"platform-feature-multiprocessor-suspend": "1", "platform-feature-xs_reset_watches": "1"}
    store.make(f"{place}/control", features, readable)
    for name in ("shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq"):
        store.make(f"{place}/control/{name}", {}, own)
    store.make(f"{place}/device/suspend/event-channel", {}, own)
    for name in ("data", "drivers", "feature", "attr", "error"):
        store.make(f"{place}/{name}", {}, own)


def _make_console(store: Store, domid: int, port: int) -> None:
    place, behind = f"{home(domid)}/console", f"/local/domain/0/backend/console/{domid}/0"
    both = {"frontend": place, "frontend-id": str(domid), "online": "1", "state": INITIALISING, "protocol": "vt100"}
    front = {
        "backend": behind, "backend-id": "0", "limit": str(CONSOLE_LIMIT_BYTES), "type": "xenconsoled",
        "output": "pty", "tty": "", "port": str(port),
    }  # fmt: skip
    store.make(place, front, ("n0", f"r{domid}"))
    store.make(behind, both, ("n0", f"r{domid}"))
    store.make(f"/libxl/{domid}/device/console/0", {"backend": behind, **both}, DOM0_ONLY)


def _make_vif(store: Store, domid: int, vif: Vif) -> None:
    here, behind = frontend(domid, vif), backend(domid, vif)
    front = {
        "backend": behind, "backend-id": "0", "state": INITIALISING, "handle": str(vif.devid), "mac": vif.mac,
        "trusted": "1",
    }  # fmt: skip
    both = {
        "frontend": here, "frontend-id": str(domid), "online": "1", "state": INITIALISING, "script": VIF_SCRIPT,
        "mac": vif.mac, "bridge": vif.bridge, "handle": str(vif.devid), "type": "vif",
    }  # fmt: skip
    store.make(f"/libxl/{domid}/device/vif/{vif.devid}", {"backend": behind, **both, "hotplug-status": ""}, DOM0_ONLY)
    store.make(here, front, (f"n{domid}", "r0"))
    store.make(f"{here}/mtu", {}, ("n0", f"r{domid}"))
    store.write(f"{here}/mtu", str(vif.mtu))
    store.make(behind, both, ("n0", f"r{domid}"))


def complete(store: Store, domid: int, *, store_ring: int, console_ring: int) -> None:
    """What people and xenconsoled read of the rings; the guest itself does not need it to go on."""
    store.write(f"{home(domid)}/store/ring-ref", str(store_ring))
    store.write(f"{home(domid)}/console/ring-ref", str(console_ring))


def remove(store: Store, domid: int, app_vm: str) -> None:
    """Take away everything that names the domain; the backends' kernel side goes with its nodes."""
    for kind in store.children("/local/domain/0/backend"):
        store.remove(f"/local/domain/0/backend/{kind}/{domid}")
    if store.read(f"{home(domid)}/vm") == f"/vm/{app_vm}":
        store.remove(f"/vm/{app_vm}")
    store.remove(home(domid))
    store.remove(f"/libxl/{domid}")
    userdata(domid, app_vm).unlink(missing_ok=True)
