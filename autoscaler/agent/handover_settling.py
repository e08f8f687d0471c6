"""Carry out what the rules say of a handover that nobody drives any more, deed by deed, until there is nothing left to do.

Separate because it is the only place that acts after something broke, on either side, in this process or a former one's
stead. It decides nothing: every deed comes from handover_rules.py, and is followed by a fresh look at record and half.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autoscaler.agent import handover_rules as rules
from autoscaler.agent.handover_halves import Halves
from autoscaler.agent.handover_passenger import read_passenger
from autoscaler.agent.handover_receiving import Receiving
from autoscaler.agent.handover_records import Record, Records
from autoscaler.agent.handover_rules import Deed, Half, Verdict
from autoscaler.agent.handover_wire import LinkError, connection

log = logging.getLogger(__name__)
DEEDS_MOST = 12  # more than any path has: a loop here would be a fault of the rules
KEPT_MOST = 64  # finished handovers whose outcome can still be asked for; steps.py keeps it too
LATE_S = 60.0  # a guest asked to suspend by a process that was killed may still do it: looked after for this long


@dataclass(slots=True)
class Settling:
    records: Records
    halves: Halves
    receiving: Receiving
    calling: Callable[[], ssl.SSLContext]
    boot: str
    patience_s: float
    fenced: set[tuple[str, str]] = field(default_factory=set)
    _resting: dict[str, float] = field(default_factory=dict)

    def _look(self, record: Record) -> tuple[Half, int]:
        """A half does not outlive its cloud VM's boot, and its domain id then means another domain."""
        if record.released or record.boot != self.boot:
            return Half.ABSENT, 0
        return self.halves.look(record)

    async def leaving(self, record: Record) -> Record:
        """The record as far as it can be brought now."""
        verdict: Verdict | None = None
        for _ in range(DEEDS_MOST):
            half, domid = self._look(record)
            deed = rules.leave(record.leaving, half, verdict, told=record.told)
            match deed:
                case Deed.NOTE_CANCELLED:
                    record = self._cancel(record, domid, verdict)
                case Deed.NOTE_DONE:
                    record = self.records.change(record, state=rules.Leaving.DONE)
                case Deed.RESUME:
                    self.halves.let_be(domid)
                    self.halves.resume(domid)
                case Deed.DESTROY:
                    self.household_left(record)
                    self.halves.destroy(domid, record.app_vm)
                case Deed.ASK:
                    if (verdict := await self._ask(record)) is None:
                        return record
                case Deed.TELL:
                    if not await self._tell(record):
                        return record
                    record = self.records.change(record, told=True)
                case _:
                    self._forget_later(record)
                    return record
        raise AssertionError(f"handover {record.id} does not come to rest")

    def household_left(self, record: Record) -> None:
        self.receiving.household.left(record.app_vm, record.peer)

    def _cancel(self, record: Record, domid: int, verdict: Verdict | None) -> Record:
        reasons = {
            Verdict.GONE: f"the cloud VM of {record.peer} is gone: the app VM goes on here as it was when it was handed over",
            Verdict.REVOKED: f"{record.peer} had not heard the permission",
        }
        said = [record.reason, reasons.get(verdict, "" if record.reason else "the agent was restarted")]  # type: ignore[arg-type]
        record = self.records.change(
            record, state=rules.Leaving.CANCELLED, reason="; ".join(part for part in said if part)
        )
        if domid:
            self.halves.let_be(domid)
        return record

    async def arriving(self, record: Record) -> Record:
        for _ in range(DEEDS_MOST):
            half, domid = self._look(record)
            match rules.arrive(record.arriving, half):
                case Deed.NOTE_REVOKED:
                    reason = record.reason or "the transfer broke"
                    record = self.records.change(record, state=rules.Arriving.REVOKED, reason=reason)
                case Deed.DESTROY:
                    self.halves.destroy(domid, record.app_vm)
                case Deed.START:
                    self.halves.start(domid, record.app_vm)
                case Deed.NOTE_RUNNING:
                    record = self.receiving.welcome(record, read_passenger(record.passenger))
                case _:
                    if record.told or self._is_fenced(record):
                        self.records.forget(record)
                    return record
        raise AssertionError(f"handover {record.id} does not come to rest")

    async def _ask(self, record: Record) -> Verdict | None:
        """The other side's verdict; None while it cannot be had."""
        if self._is_fenced(record):
            return Verdict.GONE
        said = await self._call(record, "ask", "verdict")
        if said is None:
            return None
        known = {each.value: each for each in (Verdict.ACCEPTED, Verdict.REVOKED)}
        return rules.verdict_of(
            known.get(str(said.get("verdict"))),
            boot_then=record.peer_boot,
            boot_now=str(said.get("boot", "")),
            fenced=False,
        )

    async def _tell(self, record: Record) -> bool:
        if self._is_fenced(record):
            return True
        return await self._call(record, "over", "noted", done=record.leaving is rules.Leaving.DONE) is not None

    def _is_fenced(self, record: Record) -> bool:
        return (record.peer, record.peer_boot) in self.fenced

    async def _call(self, record: Record, kind: str, expected: str, **words: Any) -> dict[str, Any] | None:
        try:
            async with connection(record.address, self.calling(), record.peer, self.patience_s) as link:
                await link.say(kind, handover=record.id, **words)
                said = await link.hear()
        except LinkError as error:
            log.info("handover %s: %s", record.id, error)
            return None
        return said if said["kind"] == expected else None

    def _forget_later(self, record: Record) -> None:
        """A record that has come to rest is dropped once nothing late can come and nobody wants its outcome, or many came since."""
        since = self._resting.setdefault(record.id, time.monotonic())
        newer = len(self._resting) - 1 - list(self._resting).index(record.id)
        if (not record.wanted or newer >= KEPT_MOST) and time.monotonic() - since > LATE_S:
            self._resting.pop(record.id, None)
            self.records.forget(record)
