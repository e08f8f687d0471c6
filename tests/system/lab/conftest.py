"""One lab for all tests of this room, booted once; skipped, with the reason, where this machine cannot have one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.lab import bringup, image, record, teardown
from autoscaler.lab.record import Record

PROGRAMS = (
    "qemu-system-x86_64",
    "qemu-img",
    "mmdebstrap",
    "apt-ftparchive",
    "sfdisk",
    "grub-mkimage",
    "lz4",
    "ip",
    "ssh",
    "virsh",
)
MEMORY_MIB = 640  # of a cloud VM: Xen, a management VM of 280, and room for an app VM of 128 twice over
PATIENCE_S = 600.0  # a cloud VM is ready within 30 s on two free cores; a busy machine takes many times that


def reason_to_skip() -> str:
    if os.geteuid() != 0:
        return "a lab needs root (network namespaces and taps)"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return (
        f"not installed: {', '.join(missing)}; `deploy/setup/packages.sh lab` could not install them" if missing else ""
    )


def name(suffix: str) -> str:
    """A lab of this test run only: runs may share a machine."""
    return f"t{os.getpid()}{suffix}"


def sweep() -> None:
    """Remove labs of test runs that were killed: their names say whose they were."""
    for lab in record.names():
        found = re.fullmatch(r"t([0-9]+)[ab]", lab)
        if found and not Path("/proc", found[1]).exists():
            teardown.down(lab, say=print)


@pytest.fixture(scope="session")
def built():
    if reason := reason_to_skip():
        pytest.skip(reason)
    sweep()
    return image.ensure(print)


@pytest.fixture(scope="session")
def lab(built) -> Iterator[Record]:
    shapes = bringup.shapes(2, 1, MEMORY_MIB)
    try:
        yield bringup.up(
            name("a"), shapes, built=built, accelerator="tcg", follow=lambda _: None, patience_s=PATIENCE_S
        )
    finally:
        teardown.down(name("a"), say=print)


@pytest.fixture
def other(built) -> Iterator[str]:
    """The name of a lab beside the first; removed afterwards."""
    yield name("b")
    teardown.down(name("b"), say=print)
