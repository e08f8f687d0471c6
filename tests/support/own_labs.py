"""Labs of a test run's own: brought up for it, gone after it, called so that none takes another's or a user's.

Separate because several rooms of tests/system need the same: two small cloud VMs, a skip that says why, and nothing left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoscaler.errors import FlexCapsuleError
from autoscaler.lab import bringup, image, record, teardown
from autoscaler.lab.record import Record

# One letter for each that may be up in the same `make system`.
LETTERS = {
    "lab": "a",
    "another beside it": "b",
    "controller": "c",
    "demo": "d",
    "libos": "l",
    "agents": "v",
    "no shadow paging": "n",
}
MEMORY_MIB = 640  # of a cloud VM
MADE = re.compile(rf"t([0-9]+)[{''.join(LETTERS.values())}]")


def lab_name(whose: str) -> str:
    """A lab of this test run only: runs may share a machine."""
    return f"t{os.getpid()}{LETTERS[whose]}"


def orphans() -> list[str]:
    """Labs of test runs that were killed: their names say whose they were."""
    found = ((name, MADE.fullmatch(name)) for name in record.names())
    return [name for name, whose in found if whose and not Path("/proc", whose[1]).exists()]


def sweep() -> None:
    for name in orphans():
        teardown.down(name, say=print)


@contextmanager
def fresh_lab(whose: str, *, patience_s: float, hypervisor: str = "") -> Iterator[Record]:
    """Two cloud VMs of one core, taken down in the end; skips, with the reason, where this machine cannot have them."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root (network namespaces and taps)")
    name, shapes = lab_name(whose), bringup.shapes(2, 1, MEMORY_MIB)
    try:
        sweep()
        ready = image.ensure(print, hypervisor=hypervisor)
        yield bringup.up(name, shapes, built=ready, accelerator="tcg", follow=lambda _: None, patience_s=patience_s)
    except FlexCapsuleError as error:
        if "is not installed" in str(error):
            pytest.skip(str(error))
        raise
    finally:
        teardown.down(name, say=print)
