"""The Linux app VM's trip: started, moved there and back while watched, and ended. What `make lab` shows.

Separate from transfer.py because a trip is a story with a guest of its own; benchmarks tell others with the same parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from autoscaler.errors import ActuationError, UsageError
from autoscaler.lab import condition, reach, transfer
from autoscaler.lab.heartbeat import Watch, heard
from autoscaler.lab.layout import FIRST_APP_VM
from autoscaler.lab.record import Record

APP_VM = "linux"
LEAST_MIB = 96  # with less, its kernel and initramfs do not fit ("segment module0 too large", observed)
OVERHEAD_MIB = 4  # what the hypervisor takes for an app VM beside the app VM's own memory
BOOT_LONGEST_S = 60.0
SETTLE_S = 2.0  # of beats before and after, to see the usual rhythm
INTACT = "intact"


@dataclass(frozen=True, slots=True)
class Move:
    """One migration as the toolstack timed it and as a client noticed it."""

    source: str
    target: str
    total_s: float
    gap_s: float
    sent: int
    lost: int
    wire_bytes: int
    connection: str
    marks: dict[str, float]

    @property
    def intact(self) -> bool:
        return self.connection == INTACT

    def document(self) -> dict[str, Any]:
        return asdict(self)


def address(lab: Record) -> str:
    return lab.layout.front(FIRST_APP_VM)


@contextmanager
def linux(lab: Record, *, memory_mib: int, dirty_mib: int = 0) -> Iterator[str]:
    """The Linux app VM, running on cv1 with its address; gone afterwards, wherever it is then."""
    extra = f"console=hvc0 quiet app.ip={address(lab)}/24" + (f" app.dirty={dirty_mib}" if dirty_mib else "")
    reach.said(lab, "cv1", f"""xl create -q /srv/guests/linux/linux.cfg 'memory={memory_mib}' 'extra="{extra}"'""")
    try:
        _await_beat(lab)
        yield APP_VM
    finally:
        for shape in lab.cloud_vms:
            with suppress(ActuationError):
                reach.said(lab, shape.name, f"xl destroy {APP_VM} 2>/dev/null; true")


def _await_beat(lab: Record) -> None:
    deadline = time.monotonic() + BOOT_LONGEST_S
    while time.monotonic() < deadline:
        if _hears(lab):
            return
    console = reach.said(lab, "cv1", f"tail -5 /var/log/xen/guest-{APP_VM}.log", check=False)
    raise ActuationError(
        f"the Linux app VM did not answer within {BOOT_LONGEST_S:g} s; its console:\n{console}", temporary=True
    )


def _hears(lab: Record) -> bool:
    import socket

    with suppress(OSError), socket.create_connection((address(lab), 7), timeout=1):
        return True
    return False


def move(lab: Record, source: str, target: str) -> Move:
    """Migrate the Linux app VM under watch."""
    with Watch(address(lab)) as watch:
        time.sleep(SETTLE_S)
        moved = transfer.migrate(lab, APP_VM, source, target)
    beats = heard(watch.arrivals)
    return Move(
        source,
        target,
        moved.total_s,
        beats.largest_gap_s,
        beats.received + beats.lost,
        beats.lost,
        moved.wire_bytes,
        watch.connection,
        moved.marks,
    )


def _require_room(lab: Record, memory_mib: int) -> None:
    if memory_mib < LEAST_MIB:
        raise UsageError(f"{memory_mib} MiB are too little for the Linux app VM: it needs {LEAST_MIB}")
    for found in condition.of(lab).cloud_vms[:2]:
        if found.free_mib is None:
            raise UsageError(
                f"{found.name} is {found.state}: `flexcapsule lab console {found.name} --name {lab.name} --log`"
            )
        if APP_VM in found.app_vms:
            raise UsageError(f"a Linux app VM runs on {found.name} already: is another trip under way?")
        if found.free_mib < memory_mib + OVERHEAD_MIB:
            raise UsageError(f"{found.name} has {found.free_mib} MiB free; an app VM of {memory_mib} MiB does not fit")


def there_and_back(lab: Record, *, memory_mib: int, say: Callable[[str], None]) -> list[Move]:
    """cv1 to cv2 and back, in one life of the app VM."""
    if len(lab.cloud_vms) < 2:
        raise UsageError(f"lab {lab.name} has one cloud VM; a trip needs two: `flexcapsule lab up --cloud-vms 2`")
    _require_room(lab, memory_mib)
    say(f"starting the Linux app VM ({memory_mib} MiB) on cv1")
    with linux(lab, memory_mib=memory_mib):
        moves = []
        for source, target in (("cv1", "cv2"), ("cv2", "cv1")):
            say(f"moving it from {source} to {target}")
            moves.append(move(lab, source, target))
        return moves
