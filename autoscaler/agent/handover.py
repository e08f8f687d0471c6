"""Hand app VMs over to other agents and take them in: what the rest of the agent calls. How it stays safe: handover_rules.py.

`send` moves one and returns what it measured; `serve` takes in; `resolve`, called at the start and every few seconds, finishes
what broke, whichever side died. Separate because it is the only door to the rooms handover_*: nobody else imports those.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoscaler.agent import handover_rules as rules
from autoscaler.agent import handover_stream
from autoscaler.agent.handover_halves import Halves
from autoscaler.agent.handover_passenger import Passenger
from autoscaler.agent.handover_quiet import Quiet
from autoscaler.agent.handover_receiving import Household, Receiving
from autoscaler.agent.handover_records import Record, Records, handover_id
from autoscaler.agent.handover_sending import Passed, Sending, outcome
from autoscaler.agent.handover_settling import Settling
from autoscaler.agent.handover_wire import PATIENCE_S, PORT, Link, LinkError
from autoscaler.errors import ActuationError

log = logging.getLogger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
AGAIN_S = 1.0  # between two tries to learn how an interrupted handover ended
CONNECTIONS_MOST = 16
RATE_BYTES_PER_S = 10e6  # of a stream, before one was measured: what was seen under emulation
LAST_PASS_S = 0.08  # of a copy of a running guest, before one was measured: page tables and what was dirty go once more
LEARNING = 0.25  # the newest transfer's share of what is predicted
GOING, COMING = "leaving", "arriving"


@dataclass(frozen=True, slots=True)
class Move:
    """`step` names it for ever: the same step is the same handover. `live`: auto, true or false (stop, then copy)."""

    step: str
    app_vm: str
    target: str
    address: str
    live: str = "auto"


@dataclass(frozen=True, slots=True)
class Sent:
    """`downtime_s`: from asking the guest to stop until the other side said that it runs."""

    total_s: float
    downtime_s: float
    sent_bytes: int
    phases: dict[str, float] = field(default_factory=dict)


class Handovers:
    """All handovers of this agent, both ways. `watch` is told of each point that a transfer passes."""

    def __init__(
        self, directory: Path, *, halves: Halves, household: Household, serving: ssl.SSLContext,
        calling: Callable[[], ssl.SSLContext], can_log_dirty: bool, boot: str = "", streams: Any = handover_stream,
        watch: Callable[[str, str], None] = lambda *_: None, again_s: float = AGAIN_S,
        patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._records = Records(directory)
        self._boot = boot or BOOT_ID.read_text().strip()
        self._halves, self._household, self._streams = halves, household, streams
        self._serving, self._calling, self._can_log_dirty = serving, calling, can_log_dirty
        self._watch, self._again_s, self._patience_s = watch, again_s, patience_s
        self._sending = set[str]()
        self._lane = asyncio.Lock()  # one app VM leaves at a time: two would only make each other's pause longer
        self._rate_bytes_per_s, self._last_pass_s = RATE_BYTES_PER_S, LAST_PASS_S
        self.quiet = Quiet()
        self._receiving = Receiving(
            self._records, halves, self.quiet, household, self._boot, streams, lambda point: watch(COMING, point)
        )
        self._settling = Settling(self._records, halves, self._receiving, calling, self._boot, patience_s)
        self._connections = asyncio.Semaphore(CONNECTIONS_MOST)

    async def serve(self, address: str, port: int = PORT) -> asyncio.Server:
        """Take in app VMs, on the back network only: `address` is this cloud VM's there."""
        return await asyncio.start_server(self._attend, address, port, ssl=self._serving)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._connections:
            await self._converse(reader, writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with Link(reader, writer, self._patience_s) as link:
            try:
                await self._receiving.attend(link)
            except (LinkError, ActuationError) as error:
                log.warning("%s: %s", link.peer or "a caller", error)
                link.hang_up()
            except asyncio.CancelledError:
                link.hang_up()  # revoked while it was under way
        for record in self._records.all(COMING):
            if record.id not in self._receiving.driven and record.arriving is not rules.Arriving.RUNNING:
                await self._settling.arriving(record)

    async def send(self, move: Move) -> Sent:
        """Hand one over, or learn how this step's handover ended. Raises ActuationError when the app VM stayed.

        Where it is in doubt who has it, this waits until it is known.
        """
        handover = handover_id(move.step)
        self._sending.add(handover)  # until it is known how it ended: nobody else settles it meanwhile
        try:
            if self._records.find(GOING, handover) is None:
                await asyncio.create_task(self._transfer(handover, move))
            return await self._ended(handover)
        finally:
            self._sending.discard(handover)

    async def _transfer(self, handover: str, move: Move) -> None:
        async with self._lane:
            passenger = await self._passenger(move.app_vm)
            live = self._live(move.live, passenger)
            self._release_earlier(move.app_vm)
            record = self._records.add(
                Record(handover, GOING, rules.Leaving.PREPARED, move.app_vm, move.target, move.address, self._boot,
                       domid=self._halves.domid_of(move.app_vm))
            )  # fmt: skip
            passed = Passed(lambda point: self._watch(GOING, point))
            passed("prepared")
            sending = Sending(
                self._records, self._halves, self.quiet, self._calling(), self._boot, self._streams, passed,
                self._patience_s,
            )  # fmt: skip
            try:
                await sending.run(record, passenger, live=live)
                self._learn(self._records.get(GOING, handover))
            except (LinkError, ActuationError, OSError) as error:
                log.warning("handover %s of %s to %s: %s", handover, passenger.name, move.target, error)
                self._records.change(self._records.get(GOING, handover), reason=str(error))
            finally:
                self.quiet.end(handover)

    def _release_earlier(self, app_vm: str) -> None:
        """Only the newest handover of an app VM may touch its half. Raises ActuationError where one is not over."""
        for record in self._records.all(GOING):
            if record.app_vm == app_vm and not record.released:
                try:
                    self._records.change(record, released=rules.release(record.leaving))
                except ValueError as error:
                    raise ActuationError(f"{app_vm} cannot be handed over now: {error}", temporary=True) from error

    async def _passenger(self, app_vm: str) -> Passenger:
        told = self._halves.describe(self._halves.domid_of(app_vm), app_vm)
        return replace(told, description=self._household.describe(app_vm))

    def _live(self, wish: str, passenger: Passenger) -> bool:
        """Copy while it runs, or stop and then copy: whichever is predicted to pause it for less, where there is a choice."""
        if wish == "true" and not self._can_log_dirty:
            raise ActuationError(
                "this hypervisor cannot note dirty pages (built without shadow paging): ask for live=auto",
                temporary=False,
            )
        if wish != "auto":
            return wish == "true"
        return self._can_log_dirty and passenger.used_bytes / self._rate_bytes_per_s > self._last_pass_s

    def _learn(self, record: Record) -> None:
        """The next prediction: of a stream's rate, and of the last pass after a copy of a running guest."""
        at = record.figures["at"]
        if record.figures["live"]:
            self._last_pass_s += LEARNING * (at["sent"] - at["suspended"] - self._last_pass_s)
        rate = record.figures["sent_bytes"] / max(at["sent"] - at["berth made"], 0.001)
        self._rate_bytes_per_s += LEARNING * (rate - self._rate_bytes_per_s)

    async def _ended(self, handover: str) -> Sent:
        while True:
            record = await self._settling.leaving(self._records.get(GOING, handover))
            if record.leaving in (rules.Leaving.DONE, rules.Leaving.CANCELLED):
                return Sent(**outcome(record))
            await asyncio.sleep(self._again_s)

    async def resolve(self) -> None:
        """Finish what nobody drives. What cannot be known yet is left as it is, for the next time."""
        going = [record for record in self._records.all(GOING) if record.id not in self._sending]
        coming = [record for record in self._records.all(COMING) if record.id not in self._receiving.driven]
        jobs = [*map(self._settling.leaving, going), *map(self._settling.arriving, coming)]
        for result in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(result, BaseException):
                log.warning("a handover could not be settled yet: %s", result)

    async def fenced(self, peer: str, boot: str) -> None:
        """The controller vouches that this boot of `peer`'s cloud VM is over: whatever it had been permitted is gone with it."""
        self._settling.fenced.add((peer, boot))
        await self.resolve()

    def forget(self, step: str) -> None:
        """Nobody will ask for this step's outcome again."""
        with suppress(ActuationError):
            self._records.change(self._records.get(GOING, handover_id(step)), wanted=False)

    def halves(self) -> dict[str, str]:
        """Of app VMs that have a half here: arriving, leaving or in_doubt."""
        states = {rules.Leaving.PREPARED: "leaving", rules.Leaving.PERMITTED: "in_doubt"}
        found = {r.app_vm: states[r.leaving] for r in self._records.all(GOING) if r.leaving in states}
        for record in self._records.all(COMING):
            if record.arriving in (rules.Arriving.ARRIVING, rules.Arriving.PERMITTED):
                found[record.app_vm] = COMING
        return found
