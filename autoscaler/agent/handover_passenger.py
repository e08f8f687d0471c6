"""What is said of an app VM that moves, so that the other side can make it room: checked in full, since a peer says it.

Separate because it is the one document that crosses between cloud VMs besides the stream: values only, no hypervisor here.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from autoscaler.agent.wire import plain, readable, refuse
from autoscaler.errors import ActuationError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # Linux: IFNAMSIZ
MEMORY_MOST_KIB = 1 << 30
CORES_MOST = 128  # Xen's limit of a paravirtual domain is higher; ours is what one cloud VM can have
VIFS_MOST = 8
TOOLSTACK_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Vif:
    """One network interface; `bridge`: the other side must have one of that name."""

    devid: int
    mac: str
    bridge: str
    mtu: int = 1500

    def __post_init__(self) -> None:
        if not 0 <= self.devid < VIFS_MOST:
            refuse("devid", f"{self.devid} is not from 0 to {VIFS_MOST - 1}")
        if not MAC.fullmatch(self.mac):
            refuse("mac", f"{self.mac[:40]!r} is no hardware address")
        if not INTERFACE.fullmatch(self.bridge):
            refuse("bridge", f"{self.bridge[:40]!r} is no interface's name")
        if not 68 <= self.mtu <= 65535:
            refuse("mtu", f"{self.mtu} is not from 68 to 65535")


@dataclass(frozen=True, slots=True)
class Passenger:
    """An app VM that moves. `most_kib` what the hypervisor allows it, `static_kib` and `target_kib` what its balloon is told;
    `toolstack`: libxl's own JSON of it, so that xl knows it there too; `weight`, `cap`: of the scheduler."""

    app_vm: str
    name: str
    most_kib: int
    static_kib: int
    target_kib: int
    cores: int = 1
    weight: int = 256
    cap: int = 0
    used_bytes: int = 0
    vifs: tuple[Vif, ...] = ()
    toolstack: str = ""
    description: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if str(uuid.UUID(self.app_vm)) != self.app_vm:
            refuse("app_vm", f"{self.app_vm[:40]!r} is not a UUID in its usual form")
        if not NAME.fullmatch(self.name):
            refuse("name", f"{self.name[:80]!r} is no app VM's name")
        for what in ("most_kib", "static_kib", "target_kib"):
            if not 0 < getattr(self, what) <= MEMORY_MOST_KIB:
                refuse(what, f"{getattr(self, what)} is not from 1 to {MEMORY_MOST_KIB}")
        if not 1 <= self.cores <= CORES_MOST:
            refuse("cores", f"{self.cores} is not from 1 to {CORES_MOST}")
        if len({vif.devid for vif in self.vifs}) != len(self.vifs):
            refuse("vifs", "two have the same devid")
        self._check_toolstack()

    def _check_toolstack(self) -> None:
        if len(self.toolstack) > TOOLSTACK_MOST_BYTES:
            refuse("toolstack", f"more than {TOOLSTACK_MOST_BYTES} characters")
        if self.toolstack and json.loads(self.toolstack).get("c_info", {}).get("uuid") != self.app_vm:
            refuse("toolstack", "it is about another app VM")

    def document(self) -> dict[str, Any]:
        said: dict[str, Any] = plain(self)
        return said


def read_passenger(document: object) -> Passenger:
    """From a peer's JSON. Raises ActuationError that names the field."""
    try:
        return readable(Passenger, document)
    except (UsageError, ValueError, AttributeError) as error:
        raise ActuationError(f"what was said of the app VM cannot be right: {error}", temporary=False) from error
