"""The arriving side's transfer: make a berth, fill it, wait for the permission, start. And its answers when it is asked.

Separate as the counterpart of handover_sending.py: the happy path; what breaks is left to the record and the rules, except
that this side says why where it still can. A peer speaks only of handovers that it began itself.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from autoscaler.agent import handover_rules as rules
from autoscaler.agent.handover_halves import Berth, Halves
from autoscaler.agent.handover_passenger import Passenger, read_passenger
from autoscaler.agent.handover_quiet import Quiet
from autoscaler.agent.handover_records import Record, Records
from autoscaler.agent.handover_sending import Passed
from autoscaler.agent.handover_wire import PROTOCOL, Link, LinkError, check_protocol
from autoscaler.errors import ActuationError

log = logging.getLogger(__name__)
AT_ONCE_MOST = 2  # transfers coming in: more would only make each one longer
RECORDS_MOST = 4096
RESTORE_PATIENCE_S = 60.0
READY_PATIENCE_S = 20.0  # below the sender's, so that it hears why


class Household(Protocol):
    """What the rest of the agent does about app VMs that come and go. Every call may come twice."""

    async def prepare(self, passenger: Passenger) -> None:
        """Make room, fetch what is needed; raise ActuationError to refuse. Called before anything is made."""

    def describe(self, app_vm: str) -> dict[str, str]:
        """What the other side's household needs to know of it."""

    def arrived(self, passenger: Passenger) -> None:
        """It runs here now."""

    def left(self, app_vm: str, peer: str) -> None:
        """It runs on `peer` now."""


@dataclass(slots=True)
class Receiving:
    records: Records
    halves: Halves
    quiet: Quiet
    household: Household
    boot: str
    streams: Any
    watch: Any
    driven: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def attend(self, link: Link) -> None:
        """One connection of another agent."""
        said = await link.hear()
        handover = _checked_id(said.get("handover"))
        match said["kind"]:
            case "offer":
                await self._take_in(link, handover, said)
            case "ask":
                await self._answer(link, handover)
            case "over":
                await self._over(link, handover, done=bool(said.get("done")))
            case other:
                raise LinkError(f"{link.peer} said {other[:40]!r}, which begins nothing")

    async def _take_in(self, link: Link, handover: str, said: dict[str, Any]) -> None:
        try:
            check_protocol(link, said)
            passenger = read_passenger(said.get("passenger"))
            record = self._begin(link, handover, passenger, str(said.get("boot", "")))
        except ActuationError as error:
            await link.say("refused", why=str(error), temporary=error.temporary)
            return
        task = asyncio.current_task()
        assert task is not None
        self.driven[handover] = task
        try:
            await self._fill(link, record, passenger)
        except ActuationError as error:
            log.warning("handover %s of %s: %s", handover, passenger.name, error)
            self.revoke(handover, str(error))
            await link.say("refused", why=str(error), temporary=error.temporary)
        except (LinkError, OSError) as error:
            log.warning("handover %s of %s: %s", handover, passenger.name, error)
            self.revoke(handover, str(error))
        finally:
            self.quiet.end(handover)
            self.driven.pop(handover, None)
            self.revoke(
                handover, "the transfer broke"
            )  # by something unforeseen; it has no effect on what was accepted

    def _begin(self, link: Link, handover: str, passenger: Passenger, peer_boot: str) -> Record:
        if len(self.driven) >= AT_ONCE_MOST:
            raise ActuationError(f"{AT_ONCE_MOST} app VMs are arriving here already", temporary=True)
        if any(self.records.get("arriving", other).app_vm == passenger.app_vm for other in self.driven):
            raise ActuationError(f"{passenger.name} is arriving here already", temporary=True)
        if self._runs_here(passenger.app_vm):
            raise ActuationError(f"{passenger.name} ({passenger.app_vm}) is here already", temporary=True)
        self._check_room()
        return self.records.add(
            Record(
                handover,
                "arriving",
                rules.Arriving.ARRIVING,
                passenger.app_vm,
                link.peer,
                boot=self.boot,
                peer_boot=peer_boot,
                passenger=passenger.document(),
            )
        )

    def _runs_here(self, app_vm: str) -> bool:
        try:
            return bool(self.halves.domid_of(app_vm))
        except ActuationError:
            return False

    def _check_room(self) -> None:
        if len(self.records.all("arriving")) >= RECORDS_MOST:
            raise ActuationError(
                f"{RECORDS_MOST} handovers are on record here: their senders never ended them", temporary=True
            )

    async def _fill(self, link: Link, record: Record, passenger: Passenger) -> None:
        passed = Passed(self.watch)
        passed("noted")
        await self.household.prepare(passenger)
        berth = await self.halves.make(passenger, record.id)
        passed("berth made")
        record = self.records.change(record, domid=berth.domid)
        async with self.streams.restoring(berth) as (helper, inflow):
            await link.say("berth", protocol=PROTOCOL, boot=self.boot)
            passed("berth said")
            await self._pour(link, record.id, helper, inflow, passed)
            passed("filled")
            record = await self._start(link, record, berth, helper.store_ring, passed)
            await link.say("accepted")
            passed("accepted said")
            await self.halves.connected(berth.domid, passenger)
            passed("connected")
        self.quiet.end(record.id)
        self.halves.complete(berth.domid, helper.store_ring, helper.console_ring)
        record = self.welcome(record, passenger)
        passed("running noted")
        await self._hear_over(link, record, passed)

    async def _pour(self, link: Link, handover: str, helper: Any, inflow: Any, passed: Passed) -> None:
        """Everything up to the end, into the helper; and wait until it is whole."""
        attending = asyncio.create_task(helper.attend())
        try:
            while isinstance(said := await link.hear_either(), bytes) or said["kind"] == "pausing":
                if not isinstance(said, bytes):
                    await asyncio.wait_for(inflow.drained(), READY_PATIENCE_S)
                    self.quiet.begin(handover)
                    await link.say("ready")
                    continue
                passed("filling")
                await inflow.write(said)
                if attending.done() and attending.exception():
                    break
            if not isinstance(said, bytes) and said["kind"] != "end":
                raise LinkError(f"{link.peer} did not end its stream")
            await asyncio.wait_for(attending, RESTORE_PATIENCE_S)
        except TimeoutError:
            raise ActuationError("the restore takes too long here", temporary=True) from None
        except OSError:
            await asyncio.wait_for(attending, RESTORE_PATIENCE_S)  # raises the helper's own words
            raise
        finally:
            attending.cancel()
            await asyncio.gather(attending, return_exceptions=True)

    async def _start(self, link: Link, record: Record, berth: Berth, store_ring: int, passed: Passed) -> Record:
        self.halves.introduce(berth, store_ring)
        passed("introduced")
        said = await link.hear()
        if said["kind"] != "permit":
            raise LinkError(f"{link.peer} said {said['kind'][:40]!r} instead of permitting")
        passed("permission heard")
        record = self.records.change(record, state=rules.hear_permission(record.arriving))
        passed("permission noted")
        self.halves.start(berth.domid, record.app_vm)
        passed("started")
        return record

    def welcome(self, record: Record, passenger: Passenger) -> Record:
        self.household.arrived(passenger)
        return self.records.change(record, state=rules.Arriving.RUNNING)

    async def _hear_over(self, link: Link, record: Record, passed: Passed) -> None:
        try:
            said = await link.hear()
            if said["kind"] == "over" and said.get("done"):
                self.records.forget(record)
                await link.say("noted", boot=self.boot, passed=passed.at)
                passed("over")
        except LinkError:
            log.info("handover %s: %s fell silent after it was over; it will ask again", record.id, link.peer)

    def revoke(self, handover: str, why: str) -> None:
        """Never start this half. The half itself is destroyed when the record is settled."""
        record = self.records.find("arriving", handover)
        if record and record.arriving is rules.Arriving.ARRIVING:
            self.records.change(record, state=rules.Arriving.REVOKED, reason=why)

    async def _answer(self, link: Link, handover: str) -> None:
        record = self._of_peer(link, handover)
        state, verdict = rules.answer(record.arriving if record else None)
        if record is None:
            self._check_room()
            self.records.add(Record(handover, "arriving", state, "", link.peer, boot=self.boot))
        elif record.arriving is not state:
            self.revoke(handover, "the other side asked before it had permitted")
            self._stop(handover)
        await link.say("verdict", verdict=verdict or "not yet", boot=self.boot)

    async def _over(self, link: Link, handover: str, *, done: bool) -> None:
        record = self._of_peer(link, handover)
        try:
            state = rules.told_over(record.arriving if record else None, done=done)
        except ValueError as error:
            raise LinkError(f"{link.peer} says of handover {handover} what cannot be: {error}") from error
        if record is not None and state is not record.arriving:
            self.revoke(handover, "the other side cancelled it")
            self._stop(handover)
        if record is not None:
            self.records.change(self.records.get("arriving", handover), told=True)
        await link.say("noted", boot=self.boot)

    def _stop(self, handover: str) -> None:
        if task := self.driven.get(handover):
            task.cancel()

    def _of_peer(self, link: Link, handover: str) -> Record | None:
        record = self.records.find("arriving", handover)
        if record is not None and record.peer != link.peer:
            raise LinkError(f"{link.peer} speaks of a handover of {record.peer}'s")
        return record


def _checked_id(handover: object) -> str:
    try:
        if isinstance(handover, str) and str(uuid.UUID(handover)) == handover:
            return handover
    except ValueError:
        pass
    raise LinkError("no handover is named")
