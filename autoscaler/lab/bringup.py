"""Bring a lab up: reserve, write down, make, start all machines at once, follow their consoles until all are ready.

The order is the crash safety: nothing is made before the record that names it is on disk.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from autoscaler.errors import ActuationError, UsageError
from autoscaler.lab import command, leftovers, machine, network, record, seed
from autoscaler.lab.layout import CLOUD_VMS_MOST, Layout, ordinal
from autoscaler.lab.record import CloudVMShape, Record

POLL_S = 0.2
LOCK_PATIENCE_S = 120.0
CONSOLE_TAIL_LINES = 12
Follow = Callable[[Mapping[str, machine.Progress]], None]


def shapes(count: int, cores: int, memory_mib: int) -> tuple[CloudVMShape, ...]:
    """`count` cloud VMs of one size."""
    return shapes_of([(cores, memory_mib)] * count)


def shapes_of(sizes: Sequence[tuple[int, int]]) -> tuple[CloudVMShape, ...]:
    """A cloud VM per size (cores, memory in MiB). Raises UsageError where one could not start."""
    if not 1 <= len(sizes) <= CLOUD_VMS_MOST:
        raise UsageError(f"a lab has 1 to {CLOUD_VMS_MOST} cloud VMs, not {len(sizes)}")
    for size in sizes:
        check_size(*size)
    return tuple(CloudVMShape(f"cv{i}", cores, memory_mib) for i, (cores, memory_mib) in enumerate(sizes, 1))


def read_size(text: str) -> tuple[int, int]:
    """`2x1024` -> (2, 1024)."""
    found = re.fullmatch(r"([0-9]{1,3})x([0-9]{1,7})", text)
    if not found:
        raise UsageError(f"{text!r} is not a size: write cores x MiB, as in 1x640")
    return int(found[1]), int(found[2])


def check_size(cores: int, memory_mib: int) -> None:
    if cores < 1:
        raise UsageError(f"a cloud VM has at least 1 core, not {cores}")
    if memory_mib < 512:
        raise UsageError(f"{memory_mib} MiB are too little: Xen and its management VM need 512 MiB to start")


def up(
    name: str,
    wanted: tuple[CloudVMShape, ...],
    *,
    built: Path,
    accelerator: str,
    follow: Follow,
    patience_s: float,
    boot_loader: bool = False,
) -> Record:
    """Make the lab `name` and return when every cloud VM answers. What failed stays, for `console` and `down`."""
    require_root()
    command.require("ip", "qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen", "sysctl")
    with record.locked(record.lock_path(name), patience_s=LOCK_PATIENCE_S):
        refuse_existing(name)
        made = _reserve(name, wanted, built, accelerator)
        seed.make_keys(made)
        for shape in wanted:
            network.make_taps(made.layout, shape.name)
            seed.make_seed(made, shape.name)
            machine.make_disk(made, shape.name)
            machine.start(made, shape, boot_loader=boot_loader)
        wait_ready(made, follow, patience_s=patience_s)
    return made


def require_root() -> None:
    if os.geteuid() != 0:
        raise UsageError("a lab needs root (network namespaces and taps): run this command with sudo")


def refuse_existing(name: str) -> None:
    """Raise UsageError where anything of this lab is on the machine."""
    found = leftovers.find(Layout(name))
    if not found:
        return
    lab = record.read(name)
    if lab is None or not found.processes:
        raise UsageError(f"lab {name!r} was left half made; `flexcapsule lab down --name {name}` removes it")
    has = ", ".join(f"{shape.name} {shape.cores}x{shape.memory_mib}" for shape in lab.cloud_vms)
    raise UsageError(
        f"lab {name!r} is there already, not as asked for or not all of it up: {has} MiB "
        f"(`flexcapsule lab status --name {name}`); `flexcapsule lab down --name {name}` removes it"
    )


def _reserve(name: str, wanted: tuple[CloudVMShape, ...], built: Path, accelerator: str) -> Record:
    """Choose the lab's number and make its namespace, one lab at a time on this machine."""
    with record.locked(record.MACHINE_LOCK, patience_s=LOCK_PATIENCE_S):
        made = Record(name, network.free_number(), str(built), accelerator, wanted)
        made.layout.directory.mkdir(parents=True, mode=0o700)
        record.write(made)
        network.make_namespace(made.layout)
    return made


def wait_ready(lab: Record, follow: Follow, *, patience_s: float) -> None:
    """Follow the consoles until every cloud VM is ready and answers ssh. Raises ActuationError with a diagnosis."""
    deadline = time.monotonic() + patience_s
    while True:
        states = {shape.name: _state(lab, shape.name) for shape in lab.cloud_vms}
        follow(states)
        if all(state.ready for state in states.values()):
            return
        for name, state in states.items():
            if state.trouble:
                raise ActuationError(diagnosis(lab, name, state.trouble), temporary=False)
        if time.monotonic() > deadline:
            late = next(name for name, state in states.items() if not state.ready)
            trouble = f"not ready after {patience_s:g} s; it got as far as: {states[late].stage}"
            raise ActuationError(diagnosis(lab, late, trouble), temporary=True)
        time.sleep(POLL_S)


def _state(lab: Record, name: str) -> machine.Progress:
    state = machine.progress(machine.console_text(lab.layout, name))
    if state.trouble:
        return state
    if not machine.running(lab.layout, name):
        return machine.Progress("ended", trouble=f"its QEMU process ended at stage: {state.stage}")
    if state.ready and not _answers(lab.layout.front(ordinal(name))):
        return machine.Progress("ssh")
    return state


def _answers(address: str) -> bool:
    """Whether an ssh server greets at `address`."""
    with suppress(OSError), socket.create_connection((address, 22), timeout=2) as connection:
        connection.settimeout(2)
        return connection.recv(4) == b"SSH-"
    return False


def diagnosis(lab: Record, name: str, trouble: str) -> str:
    lines = machine.console_text(lab.layout, name).strip().splitlines()[-CONSOLE_TAIL_LINES:]
    log = lab.layout.file(f"{name}.console.log")
    shown = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
    return (
        f"{name} did not come up: {trouble}\nits console's last lines (all in {log}):\n{shown}\n"
        f"look with `flexcapsule lab console {name} --name {lab.name}`; `flexcapsule lab down --name {lab.name}` removes the lab"
    )
