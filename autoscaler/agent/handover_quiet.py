"""While an app VM stands still between two cloud VMs, the agents on both sides do nothing that can wait.

Separate because the rest of the agent asks it, and a look at all domains in the wrong moment, on a management VM of one core,
lengthens a pause. Bounded: nothing waits here for longer than it says.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

PATIENCE_S = 2.0  # far above a pause; one that takes longer must not make this cloud VM's samples old


class Quiet:
    """Who stands still at this moment, by handover, and until when that is waited for."""

    def __init__(self) -> None:
        self._standing: dict[str, float] = {}
        self._over = asyncio.Event()
        self._over.set()

    def begin(self, handover: str) -> None:
        """Said again, it does not begin anew."""
        self._standing.setdefault(handover, asyncio.get_running_loop().time() + PATIENCE_S)
        self._over.clear()

    def end(self, handover: str) -> None:
        """Idempotent, and harmless where it never began."""
        self._standing.pop(handover, None)
        if not self._standing:
            self._over.set()

    async def over(self) -> None:
        """Returns at once where nobody stands still, or not lately."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(max(self._standing.values(), default=None)):
                await self._over.wait()
