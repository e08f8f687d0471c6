"""An agent from its parts, and its life: look, carry out, answer, until told to end. The same over Xen and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.agent import handover
from autoscaler.agent.api import API
from autoscaler.agent.credentials import Credentials
from autoscaler.agent.deeds import Bench, Move, Transfer
from autoscaler.agent.descriptions import StepRequest
from autoscaler.agent.handover import Handovers
from autoscaler.agent.hypervisor import Hypervisor
from autoscaler.agent.images import Images
from autoscaler.agent.keeper import Keeper
from autoscaler.agent.logs import Logs
from autoscaler.agent.peers import fetcher
from autoscaler.agent.steps import Steps
from autoscaler.agent.store import Shelf
from autoscaler.errors import ActuationError

SAMPLING_MOST_FRACTION = 0.1  # of the time; what a sample is late by shows in its age
RESOLVE_EVERY_S = 2.0
SAMPLE_EVERY_S = 1.0  # as often as app VMs publish (libos/README.md)


@dataclass(frozen=True, slots=True)
class Agent:
    """All of one, ready to live."""

    bench: Bench
    steps: Steps
    api: API
    say: Callable[[str], None]
    handovers: Handovers | None = None
    sample_every_s: float = SAMPLE_EVERY_S

    async def live(self, woken: asyncio.Event, until: asyncio.Event) -> None:
        """Observe now, take up what was left, then observe whenever woken, and sample every so often: on a cloud VM with many
        app VMs, or a starved one, less often, so that looking at app VMs never takes from them more than a share."""
        await self._look(sample=True)
        self.steps.take_up()
        tending = asyncio.ensure_future(self._tend())
        loop, sample_at = asyncio.get_running_loop(), 0.0
        while not until.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(0.0, sample_at - loop.time()))
            await self._undisturbed()
            woken.clear()
            began = loop.time()
            sample = began >= sample_at
            await self._look(sample=sample)
            if sample:
                sample_at = began + max(self.sample_every_s, (loop.time() - began) / SAMPLING_MOST_FRACTION)
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        await self.steps.rest()

    async def _tend(self) -> None:
        """Finish what moves left unfinished, and keep logs short. Apart from observing: it may have to wait for another agent's
        answer."""
        keeper = self.bench.keeper
        while True:
            await self._undisturbed()
            if self.handovers is not None:
                await self.handovers.resolve()
            await asyncio.to_thread(lambda: keeper.logs.shorten(keeper.hypervisor.written()))
            await asyncio.sleep(RESOLVE_EVERY_S)

    async def _undisturbed(self) -> None:
        if self.handovers is not None:
            await self.handovers.quiet.over()

    async def _look(self, *, sample: bool) -> None:
        try:
            await self.bench.keeper.look(sample=sample)
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
    handing: Callable[[Bench], Handovers] | None = None,
) -> Agent:
    """`directory`: where it keeps what it must not forget. Without `credentials` it knows no other agents; without `handing`
    it sends none of its app VMs to them."""
    keeper = Keeper(name, hypervisor, Shelf(directory / "app-vms"), Logs(directory / "logs", say), clock)
    images = Images(directory / "images", fetcher(credentials) if credentials else None)
    bench = Bench(keeper, images, directory)
    handovers = None
    if handing is not None:
        handovers = handing(bench)
        keeper.halves = handovers.halves
        bench = replace(bench, move=_mover(handovers))
    steps = Steps(bench, Shelf(directory / "steps"))
    return Agent(bench, steps, API(bench, steps, credentials, handovers), say, handovers)


def _mover(handovers: Handovers) -> Move:
    async def move(step: str, request: StepRequest) -> Transfer:
        return await handovers.send(handover.Move(step, request.uuid, request.target, request.address, request.live))

    return move
