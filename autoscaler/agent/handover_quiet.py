"""While an app VM stands still between two cloud VMs, the agents on both sides do nothing that can wait.

Separate because the rest of the agent asks it, and a look at all domains in the wrong moment, on a management VM of one core,
lengthens a pause by a tenth. Bounded: nothing waits here for longer than it says.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

PATIENCE_S = 2.0  # a pause is a tenth of that; one that takes longer must not make this cloud VM's samples old


class Quiet:
    """Who stands still at this moment, by handover."""

    def __init__(self) -> None:
        self._standing: set[str] = set()
        self._over = asyncio.Event()
        self._over.set()

    def begin(self, handover: str) -> None:
        self._standing.add(handover)
        self._over.clear()

    def end(self, handover: str) -> None:
        """Idempotent, and harmless where it never began."""
        self._standing.discard(handover)
        if not self._standing:
            self._over.set()

    async def over(self) -> None:
        """Returns at once where nobody stands still."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._over.wait()
