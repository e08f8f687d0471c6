"""One lab for all tests of this room, booted once; skipped, with the reason, where this machine cannot have one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from own_labs import lab_name, sweep

from autoscaler.lab import bringup, image, teardown
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
            lab_name("lab"), shapes, built=built, accelerator="tcg", follow=lambda _: None, patience_s=PATIENCE_S
        )
    finally:
        teardown.down(lab_name("lab"), say=print)


@pytest.fixture
def other(built) -> Iterator[str]:
    """The name of a lab beside the first; removed afterwards."""
    yield lab_name("another beside it")
    teardown.down(lab_name("another beside it"), say=print)
