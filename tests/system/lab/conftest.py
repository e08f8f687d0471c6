"""Everybody's lab, and another beside it; skipped, with the reason, where this machine cannot have one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from own_labs import lab_name, sweep

from autoscaler.lab import image, teardown
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
def lab(built, lab: Record) -> Record:
    """Everybody's, where this machine can have one."""
    return lab


@pytest.fixture
def other(built) -> Iterator[str]:
    """The name of a lab beside the first; removed afterwards."""
    yield lab_name("another beside it")
    teardown.down(lab_name("another beside it"), say=print)
