"""The two kinds of guest that are compared, started on a cloud VM of a lab with the stock toolstack, and gone afterwards."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import ActuationError
from autoscaler.lab import reach
from autoscaler.lab.record import Record
from benchmarks.result import ROOT

LIBOS = ROOT / "libos"
ADDRESS = 170  # on the front network
ANSWER_LONGEST_S = 120.0
ECHO = (7, b"hello\n", b"hello\n")
HTTP = (80, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.")


@dataclass(frozen=True, slots=True)
class Guest:
    """`talk`: the port, what is said there, and how the answer begins. `program` is empty for Linux."""

    kind: str
    memory_mib: int
    program: str = ""
    arguments: str = ""
    talk: tuple[int, bytes, bytes] = ECHO


@dataclass(frozen=True, slots=True)
class Started:
    """`build_s`: the toolstack's time for building the domain; `start_s`: from the word to unpause to the first answer."""

    name: str
    address: str
    build_s: float
    start_s: float


def stripped(program: str, folder: Path) -> Path:
    made = folder / f"{program}.elf"
    subprocess.run(["strip", "-o", made, LIBOS / f"build/{program}.elf"], check=True)
    return made


def create(lab: Record, guest: Guest, address: str) -> tuple[str, float]:
    """A paused app VM: its name, and how long the toolstack built at it."""
    if not guest.program:
        line = f"""/srv/guests/linux/linux.cfg 'memory={guest.memory_mib}' 'extra="console=hvc0 quiet app.ip={address}/24"'"""
        return "linux", _built(lab, line)
    with tempfile.TemporaryDirectory() as folder:
        reach.copy(lab, "cv1", [stripped(guest.program, Path(folder))], "/root/")
    lines = (
        f'name="{guest.program}"',
        'type="pv"',
        f'kernel="/root/{guest.program}.elf"',
        f"memory={guest.memory_mib}",
        f'extra="ip={address}/24 -- {guest.arguments}"',
        'vif=["bridge=xenbr0,script=vif-fast"]',
    )
    words = " ".join(f"'{line}'" for line in lines)
    reach.said(lab, "cv1", f"printf '%s\\n' {words} > /root/{guest.program}.cfg")
    return guest.program, _built(lab, f"/root/{guest.program}.cfg")


def _built(lab: Record, line: str) -> float:
    clock = "cut -d' ' -f1 /proc/uptime"
    began, ended = reach.said(lab, "cv1", f"{clock}; xl create -p -q {line} >&2 && {clock}").split()
    return float(ended) - float(began)


@contextmanager
def started(lab: Record, guest: Guest) -> Iterator[Started]:
    """An app VM that has answered once; gone afterwards, wherever it is then."""
    address = lab.layout.front(ADDRESS)
    name, build_s = create(lab, guest, address)
    try:
        argv = reach.ssh_argv(lab, "cv1", [f"echo begin; xl unpause {name}; sleep 1"])
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
            assert running.stdout is not None
            running.stdout.readline()
            start_s = answered(address, guest.talk)
        yield Started(name, address, build_s, start_s)
    except ActuationError as error:
        raise ActuationError(f"{error}\n{condition(lab, name)}", temporary=error.temporary) from None
    finally:
        for shape in lab.cloud_vms:
            with suppress(ActuationError):
                reach.said(lab, shape.name, f"xl destroy {name} 2>/dev/null; true")


def condition(lab: Record, name: str) -> str:
    """For a failed run: what the app VM said, and what it and its backends left in XenStore."""
    look = (
        f"xl list; cat /var/log/xen/guest-{name}.log; xenstore-ls /local/domain/$(xl domid {name}); "
        "xenstore-ls /local/domain/0/backend; dmesg | tail -5; ip -s link"
    )
    return reach.said(lab, "cv1", look, check=False)


def answered(address: str, talk: tuple[int, bytes, bytes]) -> float:
    """Seconds until the first answer."""
    port, word, begins = talk
    since = time.monotonic()
    while time.monotonic() - since < ANSWER_LONGEST_S:
        with suppress(OSError), socket.create_connection((address, port), timeout=0.2) as connection:
            connection.settimeout(5)
            connection.sendall(word)
            if connection.recv(len(begins)) == begins:
                return time.monotonic() - since
        time.sleep(0.01)
    raise ActuationError(f"{address} did not answer within {ANSWER_LONGEST_S:g} s of its start", temporary=True)


def cpu_s(lab: Record, name: str) -> float:
    """CPU time that the hypervisor has given it on cv1."""
    said = reach.said(lab, "cv1", f"xl list {name} | tail -1")
    return float(said.split()[-1])
