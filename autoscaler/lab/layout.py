"""Where a lab's things are and what they are called: every name follows from the lab's name, so that leftovers can be found.

Separate because making, finding and removing must agree on names. Nothing here touches the machine.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import UsageError

NAME_LONGEST = 12  # "fc-" and a name make an interface's name, of which Linux allows 15 characters
NUMBERS = range(256)  # the third byte of a lab's two networks
CLOUD_VMS_MOST = 90  # addresses .1 to .90; app VMs have .101 to .250
FIRST_APP_VM = 101
HOST = 254  # the host's end of the front network
INSIDE = 253  # the namespace's own end of both networks


def cache_directory() -> Path:
    """Where images, packages and labs are kept: FLEXCAPSULE_CACHE, or flexcapsule/ in the user's cache directory."""
    if chosen := os.environ.get("FLEXCAPSULE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flexcapsule"


def image_sources() -> Path:
    """The image builder: beside the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).resolve().parents[1]
    for place in (package.parent / "deploy" / "image", package / "lab_image"):
        if (place / "build.sh").exists():
            return place
    raise UsageError("the image builder (deploy/image/build.sh) is not part of this installation: run from a checkout")


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of one lab's things; `number` picks its two networks and is absent until one was reserved."""

    name: str
    number: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(rf"[a-z0-9][a-z0-9-]{{0,{NAME_LONGEST - 1}}}", self.name):
            raise UsageError(
                f"{self.name!r} cannot name a lab: use 1 to {NAME_LONGEST} lower-case letters, digits and dashes, "
                "beginning with a letter or digit"
            )

    @property
    def directory(self) -> Path:
        return cache_directory() / "labs" / self.name

    @property
    def namespace(self) -> str:
        return f"fc-{self.name}"

    @property
    def host_interface(self) -> str:
        return f"fc-{self.name}"

    @property
    def keys(self) -> Path:
        """The controller's keys and a copy of every agent's: what `--keys` of other commands wants."""
        return self.directory / "keys"

    def file(self, name: str) -> Path:
        return self.directory / name

    def process_name(self, cloud_vm: str) -> str:
        """QEMU's `-name`: how a cloud VM's process is told from any other on the machine."""
        return f"flexcapsule-lab/{self.name}/{cloud_vm}"

    def front(self, host_part: int) -> str:
        """An address on the network of app VMs and management, reachable from the host."""
        return f"10.77.{self.number}.{host_part}"

    def back(self, host_part: int) -> str:
        """An address on the network of transfers, which exists only inside the namespace."""
        return f"10.78.{self.number}.{host_part}"


def ordinal(cloud_vm: str) -> int:
    """`cv3` -> 3. Raises UsageError for any other form."""
    found = re.fullmatch(r"cv([1-9][0-9]?)", cloud_vm)
    if not found or int(found[1]) > CLOUD_VMS_MOST:
        raise UsageError(f"{cloud_vm!r} is not a cloud VM's name: they are cv1 to cv{CLOUD_VMS_MOST}")
    return int(found[1])
