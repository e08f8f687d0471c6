"""Hostile neighbours: rings that say what cannot be, written by the management VM itself. The guest stops using the ring, or
panics and says why; it never goes on as if nothing were."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from autoscaler.lab import reach

pytestmark = pytest.mark.system

# Offsets of 32-bit words: xen/include/public/io/ring.h, xs_wire.h and console.h.
RSP_PROD = 8
STORE_RSP_PROD, STORE_RSP_CONS = 2060, 2056
CONSOLE_IN_PROD, CONSOLE_OUT_CONS = 3076, 3080
NONSENSE = 0x7FFF0000


@pytest.fixture
def scribble(lab):
    """`scribble(running, "grant", path of the reference, offset, value, seconds)`."""
    reach.copy(lab, "cv1", [Path(__file__).with_name("scribble.py")], "/root/")

    def write(running, kind: str, path: str, offset: int, value: int, seconds: float = 0.0) -> None:
        home = f"/local/domain/$(xl domid {running.name})"
        line = f"python3 /root/scribble.py {kind} $(xl domid {running.name}) $(xenstore-read {home}/{path})"
        reach.said(lab, "cv1", f"{line} {offset} {value} {seconds}", patience_s=60)

    return write


def ended_in_a_crash(lab, running) -> bool:
    for _ in range(30):
        state = reach.said(lab, "cv1", f"xl list {running.name} | tail -1").split()[4]
        if state.endswith("c") or "c" in state:
            return True
        time.sleep(1)
    return False


@pytest.mark.parametrize("ring", ["tx-ring-ref", "rx-ring-ref"])
def test_a_network_ring_with_impossible_indices_is_not_used_any_more(lab, app_vm, scribble, ring: str) -> None:
    with app_vm("pulse", memory_mib=8) as running:
        running.await_line("a beat every")
        ping = f"ping -q -c 150 -i 0.1 -W 1 {running.address} > /dev/null 2>&1 &"
        reach.said(lab, "cv1", ping, check=False)
        scribble(running, "grant", f"device/vif/0/{ring}", RSP_PROD, NONSENSE, 3)
        running.await_line("broke its ring")
        reach.said(lab, "cv1", f"xl shutdown -w {running.name}", patience_s=60)  # all else of it still works


@pytest.mark.parametrize("value", [NONSENSE, 0xFFFFFFFF])
def test_an_impossible_xenstore_ring_is_a_panic_that_says_so(lab, app_vm, scribble, value: int) -> None:
    with app_vm("pulse", memory_mib=8) as running:
        running.await_line("a beat every")
        scribble(running, "frame", "store/ring-ref", STORE_RSP_PROD, value, 3)
        assert "XenStore" in running.await_line("panic")
        assert ended_in_a_crash(lab, running)


def test_an_impossible_console_ring_stops_nothing(lab, app_vm, scribble) -> None:
    with app_vm("httpd", memory_mib=8) as running:
        running.await_line("serving")
        for offset in (CONSOLE_IN_PROD, CONSOLE_OUT_CONS):
            scribble(running, "frame", "console/ring-ref", offset, NONSENSE)
        ask = f"python3 -c \"import http.client as h; c = h.HTTPConnection('{running.address}', timeout=20); c.request('GET', '/'); print(c.getresponse().status)\""
        assert reach.said(lab, "cv1", ask).strip() in {"200", "404"}


def test_a_disk_ring_with_impossible_indices_fails_what_waits(lab, app_vm, scribble, loop_disk) -> None:
    with app_vm("test-disk", memory_mib=8, arguments="60", disk=loop_disk) as running:
        running.await_line("writing")
        scribble(running, "grant", "device/vbd/51712/ring-ref", RSP_PROD, NONSENSE, 3)
        console = running.await_line("broke its ring")
        assert "panic" not in console
