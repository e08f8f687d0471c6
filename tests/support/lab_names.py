"""What the labs of a test run are called: one letter for each that may be up in the same `make system`, so that none takes another's."""

from __future__ import annotations

import os
import re
from pathlib import Path

from autoscaler.lab import record, teardown

LETTERS = {"lab": "a", "another beside it": "b", "controller": "c", "demo": "d", "libos": "l", "agents": "v", "no shadow paging": "n"}
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
