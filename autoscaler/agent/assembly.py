"""An agent from its parts, and its life: look, carry out, answer, until told to end. The same over Xen and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.api import API
from autoscaler.agent.credentials import Credentials
from autoscaler.agent.deeds import Bench
from autoscaler.agent.hypervisor import Hypervisor
from autoscaler.agent.images import Images
from autoscaler.agent.keeper import Keeper
from autoscaler.agent.logs import Logs
from autoscaler.agent.peers import fetcher
from autoscaler.agent.steps import Steps
from autoscaler.agent.store import Shelf
from autoscaler.errors import ActuationError

SAMPLE_EVERY_S = 1.0  # as often as app VMs publish (libos/README.md)


@dataclass(frozen=True, slots=True)
class Agent:
    """All of one, ready to live."""

    bench: Bench
    steps: Steps
    api: API
    say: Callable[[str], None]
    sample_every_s: float = SAMPLE_EVERY_S

    async def live(self, woken: asyncio.Event, until: asyncio.Event) -> None:
        """Observe now, take up what was left, then observe every so often and whenever woken."""
        await self._look()
        self.steps.take_up()
        while not until.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), self.sample_every_s)
            woken.clear()
            await self._look()
        await self.steps.rest()

    async def _look(self) -> None:
        try:
            await self.bench.keeper.look(sample=True)
        except ActuationError as error:
            self.say(f"cannot observe: {error}")  # the observation ages, and everybody can see that


def assembled(
    name: str,
    hypervisor: Hypervisor,
    directory: Path,
    *,
    clock: Callable[[], float],
    say: Callable[[str], None],
    credentials: Credentials | None = None,
) -> Agent:
    """`directory`: where it keeps what it must not forget. Without `credentials` it knows no other agents."""
    keeper = Keeper(name, hypervisor, Shelf(directory / "app-vms"), Logs(directory / "logs", say), clock)
    images = Images(directory / "images", fetcher(credentials) if credentials else None)
    bench = Bench(keeper, images, directory)
    steps = Steps(bench, Shelf(directory / "steps"))
    return Agent(bench, steps, API(bench, steps, credentials), say)
