"""Waiting for what takes as long as the machine needs: real programs, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S, POLL_S = 600.0, 0.5


def patiently(what: Callable[[], object], patience_s: float = PATIENCE_S, poll_s: float = POLL_S) -> object:
    """The first true answer of `what`. Fails the test where none comes in time."""
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline, what
        time.sleep(poll_s)
    return found
