"""What agents and their callers say to each other: app VMs asked for, app VMs observed, steps and how they ended.

Separate because both sides of the wire read it: the agent, with nothing but Debian's Python, and the controller's adapter.
Values only, checked when they are made; JSON both ways. Nothing here acts, reads a clock or knows a hypervisor.
"""

from __future__ import annotations

import re
import uuid as uuids
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from autoscaler.agent.wire import readable, refuse

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
DIGEST = re.compile(r"[0-9a-f]{64}")
STEP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,199}")
ADDRESS = re.compile(r"[0-9A-Za-z.:_-]{1,255}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN_SETTINGS = ("ip", "gateway", "dns", "report")  # libos/lib/cmdline.c: read by the library OS, not by the application
MEMORY_LEAST_BYTES = 4 << 20  # libos/README.md
MEMORY_MOST_BYTES = 1 << 40
CORES_MOST = 64.0

KINDS = ("start", "stop", "kill", "remove", "pause", "resume", "save", "restore", "migrate")
STATES = (
    "starting", "running", "paused", "arriving", "leaving", "saved", "stopped", "in_doubt",
)  # fmt: skip
ENDINGS = ("exited", "crashed", "out_of_memory", "killed", "stopped", "lost")


@dataclass(frozen=True, slots=True)
class AppVMSpec:
    """An app VM as asked for. `address` "10.77.3.101/24", or "" for DHCP; `image`, `disk`, `files`: SHA-256 digests."""

    uuid: str
    name: str
    image: str
    memory_bytes: int
    cores: float = 1.0
    service: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    address: str = ""
    gateway: str = ""
    disk: str = ""
    files: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    remove_when_ended: bool = False

    def __post_init__(self) -> None:
        check_uuid(self.uuid)
        _check_form(
            "name", self.name, NAME, "letters, digits, '_', '.' and '-', at most 63, beginning with a letter or digit"
        )
        for name in ("image", "disk", "files"):
            digest = getattr(self, name)
            if digest or name == "image":
                _check_form(name, digest, DIGEST, "a SHA-256 digest: 64 hexadecimal digits")
        if not MEMORY_LEAST_BYTES <= self.memory_bytes <= MEMORY_MOST_BYTES:
            refuse(
                "memory_bytes", f"{self.memory_bytes} is not from {MEMORY_LEAST_BYTES} (4 MiB) to {MEMORY_MOST_BYTES}"
            )
        if not 0 < self.cores <= CORES_MOST:
            refuse("cores", f"{self.cores} is not above 0 and at most {CORES_MOST:g}")
        for name in self.environment:
            if not VARIABLE.fullmatch(name) or name in OWN_SETTINGS:
                refuse(
                    "environment",
                    f"{name!r} cannot name a variable ({', '.join(OWN_SETTINGS)} are settings of the library OS)",
                )
        for word in (*self.arguments, *self.environment.values()):
            _check_word(word)
        _check_addresses(self.address, self.gateway)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an app VM ended. `status`: what its main returned, None where it could not say; `reason`: a panic's words."""

    how: str
    at: float
    status: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _check_choice("how", self.how, ENDINGS)


@dataclass(frozen=True, slots=True)
class AppVMReport:
    """An app VM as the agent sees it. Counters are since it started on this cloud VM; `load` is what the application says."""

    spec: AppVMSpec
    state: str
    ended: Ended | None = None
    cpu_s: float = 0.0
    memory_used_bytes: int = 0
    memory_allocated_bytes: int = 0
    load: float = 0.0
    received_bytes: int = 0
    sent_bytes: int = 0
    moves: int = 0
    sample_age_s: float | None = None
    started_at: float | None = None

    def __post_init__(self) -> None:
        _check_choice("state", self.state, STATES)


@dataclass(frozen=True, slots=True)
class HostReport:
    """A cloud VM as its agent sees it. `memory_bytes`: for app VMs in all; `free_bytes`: of these, not taken."""

    cloud_vm: str
    cores: int
    memory_bytes: int
    free_bytes: int
    agent_version: str
    boot_id: str
    clock: float
    can_log_dirty: bool
    app_vms: tuple[AppVMReport, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What to do to one app VM. `start` carries a spec, and as `sources` the addresses of agents that may have its image;
    `stop` a patience; `migrate` where to and how; the rest a uuid."""

    kind: str
    uuid: str = ""
    spec: AppVMSpec | None = None
    patience_s: float = 10.0
    target: str = ""
    address: str = ""
    live: str = "auto"
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, KINDS)
        if (self.kind == "start") != (self.spec is not None):
            refuse("spec", "start needs one, and nothing else takes one")
        if self.spec is None:
            check_uuid(self.uuid)
        elif self.uuid not in ("", self.spec.uuid):
            refuse("uuid", f"{self.uuid} is not the spec's {self.spec.uuid}")
        if not 0 <= self.patience_s <= 3600:
            refuse("patience_s", f"{self.patience_s:g} is not from 0 to 3600")
        if self.kind == "migrate":
            _check_form("target", self.target, NAME, "a cloud VM's name")
            _check_form(
                "address", self.address, re.compile(r"[0-9A-Za-z.:_-]{1,255}"), "an address on the back network"
            )
            _check_choice("live", self.live, ("auto", "true", "false"))

    @property
    def subject(self) -> str:
        return self.uuid if self.spec is None else self.spec.uuid


@dataclass(frozen=True, slots=True)
class StepReport:
    """How far a step is. `temporary`, where it failed: the same step may succeed later. Figures are of migrations."""

    id: str
    outcome: str
    reason: str = ""
    temporary: bool = False
    total_s: float | None = None
    downtime_s: float | None = None
    sent_bytes: int | None = None
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_step_id(self.id)
        _check_choice("outcome", self.outcome, ("running", "done", "failed"))


def read_step_request(document: object) -> StepRequest:
    """A step as a caller sends it: unknown fields are refused. Raises UsageError naming the field."""
    return readable(StepRequest, document, strict=True)


def read_step_report(document: object) -> StepReport:
    """What an agent answered; fields of a newer agent are passed over."""
    return readable(StepReport, document)


def read_host_report(document: object) -> HostReport:
    return readable(HostReport, document)


def read_app_vm_report(document: object) -> AppVMReport:
    return readable(AppVMReport, document)


def read_app_vm_spec(document: object) -> AppVMSpec:
    return readable(AppVMSpec, document, strict=True)


def check_uuid(text: str) -> str:
    try:
        canonical = str(uuids.UUID(text))
    except (ValueError, AttributeError):
        canonical = ""
    if canonical != text:
        refuse("uuid", f"{text[:80]!r} is not a UUID in its usual form (8-4-4-4-12 lower-case hexadecimal digits)")
    return text


def check_step_id(text: str) -> str:
    _check_form("id", text, STEP_ID, "letters, digits and _.:/@+-, at most 200")
    return text


def check_digest(text: str) -> str:
    _check_form("image", text, DIGEST, "a SHA-256 digest: 64 hexadecimal digits")
    return text


def _check_form(name: str, text: str, form: re.Pattern[str], expected: str) -> None:
    if not form.fullmatch(text):
        refuse(name, f"{text[:80]!r} is not {expected}")


def _check_choice(name: str, text: str, known: tuple[str, ...]) -> None:
    if text not in known:
        refuse(name, f"{text[:80]!r} is none of {', '.join(known)}")


def _check_word(word: str) -> None:
    if '"' in word or any(ord(letter) < 32 or ord(letter) > 126 for letter in word):
        refuse(
            "arguments and environment",
            f"{word[:80]!r} has a quote or a sign that is not printable ASCII: put it into a file",
        )


def _check_addresses(address: str, gateway: str) -> None:
    try:
        if address:
            if "/" not in address:
                refuse("address", f"{address!r} has no prefix length: write {address}/24")
            IPv4Interface(address)
        if gateway:
            IPv4Address(gateway)
    except ValueError as error:
        refuse("address or gateway", str(error))
