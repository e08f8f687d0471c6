"""Everything on this machine that belongs to a lab, found by name, and its removal: the same after a crash as before.

Separate because it must not trust the record: it looks at processes, the namespace, interfaces, mounts and files themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import ActuationError
from autoscaler.lab.command import output, run
from autoscaler.lab.layout import Layout

GRACE_S = 5.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What of a lab exists right now."""

    processes: tuple[int, ...]
    namespaces: tuple[str, ...]
    interfaces: tuple[str, ...]
    mounts: tuple[str, ...]
    files: tuple[str, ...]

    def __bool__(self) -> bool:
        return any((self.processes, self.namespaces, self.interfaces, self.mounts, self.files))

    def __str__(self) -> str:
        kinds = ("processes", "namespaces", "interfaces", "mounts", "files")
        return (
            "; ".join(f"{kind}: {', '.join(map(str, found))}" for kind in kinds if (found := getattr(self, kind)))
            or "nothing"
        )


def find(layout: Layout) -> Leftovers:
    """List what a lab of this name has on the machine."""
    namespace = Path("/run/netns", layout.namespace)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = tuple(m for m in mounts if m == str(namespace) or Path(m).is_relative_to(layout.directory))
    links = [link["ifname"] for link in json.loads(output(["ip", "-json", "link"]))]
    directory = layout.directory
    return Leftovers(
        processes=tuple(sorted(_named(layout) | _inside(layout))),
        namespaces=(layout.namespace,) if namespace.exists() else (),
        interfaces=tuple(name for name in links if name == layout.host_interface),
        mounts=ours,
        files=tuple(sorted(map(str, (directory, *directory.rglob("*"))))) if directory.exists() else (),
    )


def remove(layout: Layout) -> None:
    """Remove everything `find` lists. Raises ActuationError naming what would not go."""
    _end(_named(layout) | _inside(layout))
    for interface in find(layout).interfaces:
        run(["ip", "link", "delete", interface], check=False)
    if Path("/run/netns", layout.namespace).exists():
        run(["ip", "netns", "delete", layout.namespace], check=False)
    with suppress(FileNotFoundError):
        shutil.rmtree(layout.directory)
    if rest := find(layout):
        raise ActuationError(f"lab {layout.name} could not be removed whole; left: {rest}", temporary=True)


def remove_cloud_vm(layout: Layout, cloud_vm: str) -> None:
    """End one cloud VM's machine and remove its files; the rest of the lab stays. Raises ActuationError where it lives on."""
    _end(_named(layout, cloud_vm))
    for path in layout.directory.glob(f"{cloud_vm}.*"):
        path.unlink(missing_ok=True)
    if rest := _named(layout, cloud_vm):
        raise ActuationError(f"{cloud_vm} of lab {layout.name} could not be ended: process {rest}", temporary=True)


def _inside(layout: Layout) -> set[int]:
    """Processes in the lab's namespace: all of them are the lab's."""
    if not Path("/run/netns", layout.namespace).exists():
        return set()
    said = run(["ip", "netns", "pids", layout.namespace], check=False).stdout
    return {int(pid) for pid in said.split()} - {os.getpid()}


def _named(layout: Layout, cloud_vm: str = "") -> set[int]:
    """QEMU processes that bear the lab's name (and that of `cloud_vm`), wherever they are: a namespace may be gone while
    they live."""
    mark = f"guest={layout.process_name(cloud_vm)}".encode()
    found = set()
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with suppress(OSError):
                words = (directory / "cmdline").read_bytes().split(b"\0")
                if b"qemu" in words[0] and any(
                    word == mark or (not cloud_vm and word.startswith(mark)) for word in words
                ):
                    found.add(int(directory.name))
    return found


def _end(processes: set[int]) -> None:
    """Ask, wait, then insist; a process is gone when the kernel says so."""
    for sign, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + patience_s
        while processes and time.monotonic() < deadline:
            processes = {pid for pid in processes if _alive(pid)}
            time.sleep(POLL_S)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False
