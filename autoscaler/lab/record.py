"""What is written down about a lab before anything of it is made, and the lock that one command holds at a time.

Separate because a crash may come between any two acts: whoever comes after reads the record, never the maker's mind.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.lab.layout import Layout, cache_directory

LOCK_POLL_S = 0.2
MACHINE_LOCK = Path(
    "/run/lock/flexcapsule-labs.lock"
)  # numbers are reserved machine-wide, whatever the cache directory


@dataclass(frozen=True, slots=True)
class CloudVMShape:
    """One cloud VM as asked for. `called`: the name that a controller knows it by, "" = its own. `ready`: whether it was up
    once; one that is not is still being made, or was when its maker died."""

    name: str
    cores: int
    memory_mib: int
    called: str = ""
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A lab as asked for: enough to find, use and remove it."""

    name: str
    number: int
    image: str
    accelerator: str
    cloud_vms: tuple[CloudVMShape, ...]

    @property
    def layout(self) -> Layout:
        return Layout(self.name, self.number)


def write(record: Record) -> None:
    """Write the record, whole or not at all, before what it names is made."""
    path = record.layout.file("lab.json")
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(asdict(record), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read(name: str) -> Record | None:
    """The record of lab `name`; None where there is none, or a crash left half a lab without one."""
    try:
        document = json.loads(Layout(name).file("lab.json").read_text())
        shapes = tuple(CloudVMShape(**shape) for shape in document.pop("cloud_vms"))
        return Record(cloud_vms=shapes, **document)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def existing(name: str) -> Record:
    """The record of a lab that must be there. Raises UsageError naming the labs that are."""
    record = read(name)
    if record is None and Layout(name).directory.exists():
        raise UsageError(f"lab {name!r} was left half made; `flexcapsule lab down --name {name}` removes it")
    if record is None:
        known = ", ".join(names()) or "none"
        raise UsageError(f"there is no lab {name!r} (labs here: {known}); `flexcapsule lab up --name {name}` makes it")
    return record


def names() -> list[str]:
    directory = cache_directory() / "labs"
    return sorted(path.name for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []


@contextmanager
def locked(path: Path, *, patience_s: float, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold `path`'s lock; the kernel lets go of it with the process, so a crash leaves none. UsageError after `patience_s`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a+") as file:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"another lab command (process {holder}) is at work on {path.stem}; wait for it or end it"
                    ) from None
                waiting(f"waiting for process {holder}")
                time.sleep(LOCK_POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_path(name: str) -> Path:
    """Outside the lab's directory: `down` removes that while it holds the lock."""
    return cache_directory() / "locks" / f"lab-{name}.lock"
