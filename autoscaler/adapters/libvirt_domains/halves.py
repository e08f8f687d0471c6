"""What to do about the halves of a migration that nobody leads any more: one rule, from what hosts say to what is done.

Pure, and apart from `hosts` because it is what "exactly one copy runs" rests on. Libvirt's own order makes it possible: the copy at
the destination is let go only after the one at the source is paused for good, by the libvirt that leads; while one is at
work, a copy is busy, and left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from autoscaler.adapters.libvirt_domains.connection import Guest

DESTROY, RESUME = "destroy", "resume"


def halved(guest: Guest) -> bool:
    """Whether it stands still in the midst of a move."""
    return guest.paused and not guest.busy and bool(guest.notes) and guest.notes[-1].kind == "migrate"


def acts(copies: Mapping[str, Guest], silent: Collection[str]) -> list[tuple[str, str]]:
    """(act, host), in this order. `copies`: of one app VM, by host, of those that answer; `silent`: hosts that do not."""
    if any(copy.busy for copy in copies.values()):
        return []
    running = [host for host, copy in copies.items() if not copy.paused]
    halves = [host for host, copy in copies.items() if halved(copy)]
    if running:
        return [(DESTROY, host) for host in halves] if len(running) == 1 else []
    target = next((copies[host].notes[-1].target for host in halves), "")
    leaving = [host for host in halves if host != target]
    if silent and (target in silent or not leaving):
        return []  # the other copy may run where nobody can be asked
    if len(leaving) == 1:
        return [*((DESTROY, host) for host in halves if host == target), (RESUME, leaving[0])]
    return [(RESUME, target)] if halves == [target] else []
