"""Ways into a running lab: ssh, copying, consoles. Separate so that the keys' whereabouts stand in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.lab.command import require, run
from autoscaler.lab.record import Record

COPY_LONGEST_S = 300.0


def known(lab: Record, cloud_vm: str) -> str:
    """The name, if the lab has it. Raises UsageError naming those it has."""
    names = [shape.name for shape in lab.cloud_vms]
    if cloud_vm not in names:
        raise UsageError(f"lab {lab.name} has no cloud VM {cloud_vm!r}; it has {', '.join(names)}")
    return cloud_vm


def ssh_argv(lab: Record, cloud_vm: str, words: Sequence[str]) -> list[str]:
    """As ssh has it: the words, joined by blanks, are a line for the shell there; none is an interactive shell."""
    argv = ["ssh", "-F", str(lab.layout.file("ssh_config")), known(lab, cloud_vm)]
    return [*argv, *words]


def said(lab: Record, cloud_vm: str, script: str, *, patience_s: float = 60.0, check: bool = True) -> str:
    """Run a shell script on a cloud VM and return what it printed."""
    argv = ["ssh", "-F", str(lab.layout.file("ssh_config")), known(lab, cloud_vm), script]
    return run(argv, patience_s=patience_s, check=check).stdout.decode(errors="replace")


def copy(lab: Record, cloud_vm: str, files: Sequence[Path], to: str) -> None:
    target = f"{known(lab, cloud_vm)}:{to}"
    run(
        ["scp", "-q", "-r", "-F", str(lab.layout.file("ssh_config")), *map(str, files), target],
        patience_s=COPY_LONGEST_S,
    )


def console_argv(cloud_vm: str) -> list[str]:
    """socat between this terminal and the serial console; to be run in the lab's directory."""
    require("socat")
    return ["socat", "STDIO,raw,echo=0,escape=0x1d", f"UNIX-CONNECT:{cloud_vm}.console"]
