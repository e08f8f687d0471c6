"""The leaving side's transfer: offer, stream, permit, hear that it was accepted. The happy path, timed.

Separate because it may simply stop anywhere: whatever breaks here is left to handover_settling.py, which reads the record.
Nothing here cleans up, and nothing here decides after a failure.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from autoscaler.agent import handover_rules as rules
from autoscaler.agent.handover_halves import Halves
from autoscaler.agent.handover_passenger import Passenger
from autoscaler.agent.handover_quiet import Quiet
from autoscaler.agent.handover_records import Record, Records
from autoscaler.agent.handover_wire import PROTOCOL, Link, LinkError, check_protocol, connection, refused
from autoscaler.errors import ActuationError

BERTH_PATIENCE_S = 60.0  # making a berth: half a minute on a busy machine under emulation
STRETCH_BYTES = 1 << 18
LAST_WORDS_S = 0.5


@dataclass(slots=True)
class Passed:
    """When a transfer passed which point, in seconds since it began; `watch` is told of each (tests stop there)."""

    watch: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    at: dict[str, float] = field(default_factory=dict)

    def __call__(self, point: str) -> None:
        self.at.setdefault(point, time.monotonic() - self.began)
        self.watch(point)


@dataclass(slots=True)
class Sending:
    """One transfer of `passenger`, whose record is `record`."""

    records: Records
    halves: Halves
    quiet: Quiet
    calling: ssl.SSLContext
    boot: str
    streams: Any
    passed: Passed
    patience_s: float

    async def run(self, record: Record, passenger: Passenger, *, live: bool) -> Record:
        """Returns the record once it is DONE. Raises ActuationError or LinkError with the record as far as it got."""
        async with connection(record.address, self.calling, record.peer, self.patience_s) as link:
            record = await self._offer(link, record, passenger)
            record = await self._stream(link, record, live=live)
            await self._expect(link, "accepted")
            self.passed("accepted")
            record = self.records.change(record, state=rules.Leaving.DONE, figures=self._figures(link, live=live))
            self.passed("done")
            await link.say("over", handover=record.id, done=True)
            said = await self._expect(link, "noted")
            self.passed("told")
            there = said.get("passed") if isinstance(said.get("passed"), dict) else {}
            return self.records.change(record, told=True, figures=self._figures(link, live=live) | {"there": there})

    async def _offer(self, link: Link, record: Record, passenger: Passenger) -> Record:
        await link.say("offer", protocol=PROTOCOL, handover=record.id, boot=self.boot, passenger=passenger.document())
        self.passed("offered")
        said = await self._expect(link, "berth", BERTH_PATIENCE_S)
        check_protocol(link, said)
        record = self.records.change(record, peer_boot=str(said.get("boot", "")))
        self.passed("berth made")
        return record

    async def _stream(self, link: Link, record: Record, *, live: bool) -> Record:
        """All of it, and right behind it the permission: the helper's end is not waited for."""

        async def on_suspend() -> None:
            await self._caught_up(link, outflow)
            self.quiet.begin(record.id)
            self.passed("suspend asked")
            await self.halves.suspend(record.domid)
            self.passed("suspended")

        self.halves.arm(record.domid)
        async with self.streams.saving(record.domid, live=live, on_suspend=on_suspend) as (helper, outflow):
            attending = asyncio.create_task(helper.attend())
            try:
                while stretch := await outflow.read(STRETCH_BYTES):
                    self.passed("streaming")
                    await self._pour(link, stretch)
                await attending
            finally:
                attending.cancel()
                await asyncio.gather(attending, return_exceptions=True)
            await link.say("end")
            self.passed("sent")
            record = self.records.change(record, state=rules.permit(record.leaving))
            self.passed("permitted")
            await link.say("permit")
            self.passed("permission sent")
        return record

    async def _caught_up(self, link: Link, outflow: Any) -> None:
        """The guest goes on until the other side has taken in all that was copied so far; the pause then is for the rest alone."""
        await outflow.drained()
        await link.say("pausing")
        await self._expect(link, "ready")

    async def _pour(self, link: Link, stretch: bytes) -> None:
        try:
            await link.pour(stretch)
        except LinkError:
            await self._expect(
                link, "nothing", LAST_WORDS_S
            )  # raises what the other side said before it hung up, if it did
            raise

    async def _expect(self, link: Link, kind: str, patience_s: float | None = None) -> dict[str, Any]:
        said = await (link.hear(patience_s) if patience_s else link.hear())
        if said["kind"] == "refused":
            raise refused(said)
        if said["kind"] != kind:
            raise LinkError(f"{link.peer} said {said['kind'][:40]!r} where {kind!r} was due")
        return said

    def _figures(self, link: Link, *, live: bool) -> dict[str, Any]:
        return {"sent_bytes": link.sent_bytes, "live": live, "at": dict(self.passed.at)}


def outcome(record: Record) -> dict[str, Any]:
    """What a finished transfer measured. Raises ActuationError where it did not end with the app VM on the other side."""
    if record.leaving is not rules.Leaving.DONE:
        raise ActuationError(record.reason or "it was cancelled", temporary=True)
    at: dict[str, float] = record.figures.get("at", {})
    phases = {f"{name}_s": at[name] - at[before] for before, name in pairwise(at)}
    return {
        "total_s": at.get("told", at.get("done", 0.0)),
        "downtime_s": at.get("accepted", 0.0) - at.get("suspend asked", 0.0),
        "sent_bytes": int(record.figures.get("sent_bytes", 0)),
        "phases": {name.replace(" ", "_"): round(value, 4) for name, value in phases.items()} | _there(record),
    }


def _there(record: Record) -> dict[str, float]:
    """What the other side measured by its own clock, between the points of its own part."""
    at = {str(name): float(value) for name, value in record.figures.get("there", {}).items()}
    steps = {name: at[name] - at[before] for before, name in pairwise(at)}
    return {f"there_{name.replace(' ', '_')}_s": round(value, 4) for name, value in steps.items()}
