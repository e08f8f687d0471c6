"""What a new app VM is: its recipe from the config, its image by digest, its uuid by name, its address from a pool.

Separate because this is the only place that invents something, and because all of it must come out the same when a start is
submitted again. No agent is spoken to here.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from autoscaler.agent.descriptions import AppVMSpec
from autoscaler.core.model import AppVM, Service
from autoscaler.errors import ActuationError, UsageError

NAMESPACE = uuid.UUID("6f2b1c0e-6a55-5b3e-9f0d-3d7c6b0a4c11")  # of uuids made from an epoch and a name; drawn once
EPOCH = "flexcapsule.epoch"  # label of app VMs that a controller started: which journal's
LARGEST_POOL = 1 << 16


@dataclass(frozen=True, slots=True)
class Recipe:
    """How replicas of a service are made. `image`, `disk`, `files`: names in the directory of images, "" = none."""

    service: Service
    image: str
    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    disk: str = ""
    files: str = ""
    port: int = 0
    stop_patience_s: float = 10.0


class AddressPool:
    """Addresses for app VMs: "10.77.1.101-10.77.1.250/24", handed out in turn, so that one that was given back rests longest."""

    def __init__(self, text: str) -> None:
        self.addresses, self.prefix = parse_pool(text)
        self._next = 0

    def take(self, taken: Collection[str]) -> str:
        """One that is not taken, with its prefix length. Raises ActuationError (temporary) where all are."""
        for offset in range(len(self.addresses)):
            row = (self._next + offset) % len(self.addresses)
            if self.addresses[row] not in taken:
                self._next = row + 1
                return f"{self.addresses[row]}/{self.prefix}"
        raise ActuationError(f"all {len(self.addresses)} addresses of the pool are taken", temporary=True)


def parse_pool(text: str) -> tuple[tuple[str, ...], int]:
    """The addresses and the prefix length. Raises UsageError."""
    try:
        ends, prefix = text.split("/")
        first, last = (IPv4Address(end) for end in ends.split("-"))
        network = IPv4Network(f"{first}/{prefix}", strict=False)
    except ValueError:
        raise UsageError(f"{text!r} is no pool of addresses; expected one like 10.77.1.101-10.77.1.250/24") from None
    if first > last or last not in network or int(last) - int(first) >= LARGEST_POOL:
        raise UsageError(
            f"{text!r} does not fit together: the last address must follow the first, in one network of /{prefix}"
        )
    return tuple(str(IPv4Address(number)) for number in range(int(first), int(last) + 1)), int(prefix)


@dataclass(slots=True)
class Images:
    """Files by name in one directory, known to agents by their digest."""

    directory: Path
    _digests: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def digest(self, name: str) -> str:
        """SHA-256 of the file. Raises ActuationError (permanent) where there is none."""
        path = self.path(name)
        try:
            status = path.stat()
            key = (name, status.st_mtime_ns, status.st_size)
            if key not in self._digests:
                with path.open("rb") as file:
                    self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ActuationError(f"image {name} cannot be read: {error.strerror}: {path}", temporary=False) from None
        return self._digests[key]

    def path(self, name: str) -> Path:
        return self.directory / name


def uuid_of(epoch: str, name: str) -> str:
    """The same start is the same app VM, however often it is submitted."""
    return str(uuid.uuid5(NAMESPACE, f"{epoch}/{name}"))


def written(app_vm: AppVM, recipe: Recipe, images: Images, *, epoch: str, address: str, gateway: str) -> AppVMSpec:
    """The description an agent starts. Raises ActuationError (permanent) where an agent would refuse it."""
    try:
        return AppVMSpec(
            uuid=uuid_of(epoch, app_vm.id),
            name=app_vm.id,
            image=images.digest(recipe.image),
            memory_bytes=app_vm.memory_bytes,
            cores=app_vm.cores,
            service=app_vm.service,
            environment=dict(recipe.environment),
            arguments=recipe.arguments,
            address=address,
            gateway=gateway if address else "",
            disk=images.digest(recipe.disk) if recipe.disk else "",
            files=images.digest(recipe.files) if recipe.files else "",
            labels={**dict(app_vm.labels), EPOCH: epoch},
        )
    except UsageError as error:
        raise ActuationError(f"{app_vm.id} cannot be described: {error}", temporary=False) from None


def files_of(recipe: Recipe) -> Sequence[str]:
    """Names of all files that an agent needs for it."""
    return [name for name in (recipe.image, recipe.disk, recipe.files) if name]
