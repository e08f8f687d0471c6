"""Take a lab down, whatever state it is in, and say what was there. The finding and removing is leftovers.py's."""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.lab import leftovers
from autoscaler.lab.layout import Layout
from autoscaler.lab.record import lock_path, locked

LOCK_PATIENCE_S = 300.0  # a lab being brought up is left to finish; its own patience is shorter than this


def down(name: str, say: Callable[[str], None]) -> bool:
    """Remove lab `name` whole. False when there was nothing. Waits for another command that is at work on it."""
    layout = Layout(name)
    told: list[str] = []

    def tell_once(text: str) -> None:
        if not told:
            told.append(text)
            say(f"lab {name}: {text}")

    lock = lock_path(name)
    with locked(lock, patience_s=LOCK_PATIENCE_S, waiting=tell_once):
        found = leftovers.find(layout)
        if found:
            leftovers.remove(layout)
        lock.unlink(missing_ok=True)
    return bool(found)
