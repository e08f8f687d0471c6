"""What this cloud VM's agent knows: app VMs by UUID as remembered on disk, held against what the hypervisor shows.

Separate because every other part asks it and none may believe its own memory: what runs is what was seen, what was meant is
what was kept. How an app VM ends is judged here, and nowhere else. It starts and stops nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, Ended, HostReport
from autoscaler.agent.hypervisor import Halt, Hypervisor, Observation, Sighting
from autoscaler.agent.logs import Logs
from autoscaler.agent.store import Shelf, one_of
from autoscaler.agent.verdict import judge, judge_gone
from autoscaler.agent.wire import plain, readable

AGENT_VERSION = "1"
ENDINGS_REMEMBERED = 1000  # of app VMs that were removed when they ended: for those who ask how, a little later
STARTING, PRESENT, SAVED, ENDED = "starting", "present", "saved", "ended"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk of one app VM. `asked`: the last word said to it (stop, kill, save, restore); `log_from`: where its
    console begins in files that an earlier one of its name may have written to."""

    spec: AppVMSpec
    phase: str
    boot_id: str
    started_at: float | None = None
    asked: str = ""
    ended: Ended | None = None
    moves: int = 0
    log_from: int = 0
    log_to: int | None = None


class Keeper:
    """One per agent; used from its event loop only. `halves`: app VMs under way between two cloud VMs, and how."""

    def __init__(self, name: str, hypervisor: Hypervisor, shelf: Shelf, logs: Logs, clock: Callable[[], float]) -> None:
        self.name, self.hypervisor, self.logs, self.clock = name, hypervisor, logs, clock
        self.halves: Callable[[], Mapping[str, str]] = dict
        self._shelf = shelf
        self.records = {uuid: readable(Kept, found) for uuid, found in shelf.all(logs.say).items()}
        self.observation: Observation | None = None
        self.observed_at: float | None = None
        self._published: dict[str, tuple[float, Mapping[str, str]]] = {}
        self.gone: dict[str, AppVMReport] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turn, self._touched = 0, dict[str, int]()
        self._absent: dict[str, int] = {}  # in how many looks on end; one alone may be the hypervisor's mistake
        self._looking, self._ending = asyncio.Lock(), set[str]()
        self._news = asyncio.Event()

    # ---- memory

    def keep(self, record: Kept) -> None:
        """Durable when this returns."""
        uuid = record.spec.uuid
        self._shelf.keep(uuid, plain(record))
        self.records[uuid] = record
        self._touched[uuid] = self._turn
        self._tell()

    def drop(self, uuid: str) -> None:
        self._shelf.drop(uuid)
        self.records.pop(uuid, None)
        self._published.pop(uuid, None)
        self._tell()

    def record(self, uuid: str) -> Kept:
        found: Kept = one_of("app VM", uuid, self.records)
        return found

    def lock(self, uuid: str) -> asyncio.Lock:
        """Held by whoever changes this app VM."""
        return self._locks[uuid]

    def seen(self, uuid: str) -> Sighting | None:
        return None if self.observation is None else self.observation.sightings.get(uuid)

    # ---- observation

    async def look(self, *, sample: bool = False) -> Observation:
        """See what runs now, and judge what ended; `sample`: hear what app VMs say of themselves, too."""
        async with self._looking:
            self._turn += 1
            turn, began = self._turn, self.clock()
            observation = await asyncio.to_thread(self.hypervisor.observe)
            await self._hear([seen for seen in observation.sightings.values() if sample or _halted(seen)], began)
            self.observation, self.observed_at = observation, began
            records = [record for record in self.records.values() if self._touched.get(record.spec.uuid, 0) < turn]
            ended = [record for record in map(self._judged, records) if record is not None]
        for record in filter(self._alive, records):
            self.logs.say(f"{record.spec.name} was taken for ended ({record.ended}), and runs: taken back")
            self.keep(replace(record, phase=PRESENT, ended=None, log_to=None))
        for record in (*ended, *filter(self._left_lying, records)):
            await self.end(record)
        return observation

    async def _hear(self, seen: list[Sighting], began: float) -> None:
        """What these say of themselves; for one that has ended, its last word."""
        handles = {each.handle: each.uuid for each in seen if each.uuid in self.records}
        if handles:
            published = await asyncio.to_thread(self.hypervisor.published, list(handles))
            for handle, said in published.items():
                self._published[handles[handle]] = (began, said)

    def _left_lying(self, record: Kept) -> bool:
        """An agent died between keeping that this one had ended and clearing it away."""
        uuid = record.spec.uuid
        if record.phase != ENDED or self.lock(uuid).locked() or uuid in self.halves():
            return False
        seen = self.seen(uuid)
        return uuid in self.records and (seen.halt is not Halt.NONE if seen else record.spec.remove_when_ended)

    def _alive(self, record: Kept) -> bool:
        """Whoever runs is never cleared away, whatever was kept of it."""
        uuid = record.spec.uuid
        seen = self.seen(uuid)
        busy = self.lock(uuid).locked() or uuid in self.halves()
        return record.phase == ENDED and not busy and seen is not None and seen.halt is Halt.NONE

    def _judged(self, record: Kept) -> Kept | None:
        """The record as ended, if what was seen says so. Only for what was not kept since that look began."""
        uuid = record.spec.uuid
        seen = self.seen(uuid)
        if record.phase != PRESENT or uuid in self.halves():
            return None
        absent, self._absent[uuid] = self._absent.get(uuid, 0), 0 if seen else self._absent.get(uuid, 0) + 1
        if seen is None and (record.asked == "kill" or (absent and not self.lock(uuid).locked())):
            assert self.observation is not None
            verdict = judge_gone(record.asked, same_boot=self.observation.boot_id == record.boot_id, at=self.clock())
            return replace(record, phase=ENDED, ended=verdict)
        if seen is None or seen.halt in (Halt.NONE, Halt.SUSPEND):
            return None
        said = self._published.get(uuid, (0.0, {}))[1]
        verdict = judge(seen.halt, said, record.asked, self.logs.tail(self.pieces(record)), self.clock())
        return replace(record, phase=ENDED, ended=verdict)

    async def end(self, record: Kept) -> None:
        """Keep how it ended, then clear it away. Once: several may find that it ended."""
        uuid, name = record.spec.uuid, record.spec.name
        if uuid in self._ending:
            return
        self._ending.add(uuid)
        try:
            seen = self.seen(uuid)
            if record.log_to is None:
                record = replace(record, log_to=self.logs.size(self.hypervisor.console(name)))
            if record.spec.remove_when_ended:
                self._remember_gone(record)
            self.keep(record)
            if seen is not None:
                await self.hypervisor.destroy(seen)
            if record.spec.remove_when_ended:
                self.drop(uuid)
        finally:
            self._ending.discard(uuid)

    def _remember_gone(self, record: Kept) -> None:
        while len(self.gone) >= ENDINGS_REMEMBERED:
            del self.gone[next(iter(self.gone))]
        self.gone[record.spec.uuid] = self._report(record)

    def pieces(self, record: Kept) -> Any:
        console = self.hypervisor.console(record.spec.name)
        return self.logs.pieces(record.spec.uuid, console, record.log_from, record.log_to)

    # ---- waiting

    async def news(self, patience_s: float | None) -> bool:
        """Wait for a record to change; False when `patience_s` is over first."""
        try:
            await asyncio.wait_for(self._news.wait(), patience_s)
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # ---- reports

    def report(self, uuid: str) -> AppVMReport:
        """Raises UsageError for an app VM that is not here, unless it was removed as it ended."""
        return self.gone[uuid] if uuid in self.gone and uuid not in self.records else self._report(self.record(uuid))

    def reports(self) -> tuple[AppVMReport, ...]:
        return tuple(self._report(record) for record in self.records.values())

    def host(self) -> HostReport | None:
        seen = self.observation
        return None if seen is None else HostReport(
            cloud_vm=self.name, cores=seen.cores, memory_bytes=seen.memory_bytes, free_bytes=seen.free_bytes,
            agent_version=AGENT_VERSION, boot_id=seen.boot_id, clock=self.clock(),
            can_log_dirty=seen.can_log_dirty, app_vms=self.reports(),
        )  # fmt: skip

    def _report(self, record: Kept) -> AppVMReport:
        uuid = record.spec.uuid
        seen, (at, said) = self.seen(uuid), self._published.get(uuid, (None, {}))
        return AppVMReport(
            spec=record.spec,
            state=self._state(record, seen),
            ended=record.ended,
            cpu_s=seen.cpu_s if seen else 0.0,
            memory_used_bytes=int(_figure(said, "used-bytes")),
            memory_allocated_bytes=seen.memory_bytes if seen else 0,
            load=_figure(said, "load"),
            received_bytes=int(_figure(said, "received-bytes")),
            sent_bytes=int(_figure(said, "sent-bytes")),
            moves=max(record.moves, int(_figure(said, "moves"))),
            sample_age_s=None if at is None else max(0.0, self.clock() - at),
            started_at=record.started_at,
        )

    def _state(self, record: Kept, seen: Sighting | None) -> str:
        if half := self.halves().get(record.spec.uuid):
            return half
        if record.phase == PRESENT:
            if seen is None:
                return "in_doubt"
            return "paused" if seen.paused or seen.halt is Halt.SUSPEND else "running"
        return {STARTING: "starting", SAVED: "saved", ENDED: "stopped"}[record.phase]


def _halted(seen: Sighting) -> bool:
    return seen.halt not in (Halt.NONE, Halt.SUSPEND)


def _figure(said: Mapping[str, str], name: str) -> float:
    """A guest may write anything there: what is no sensible number counts as none."""
    try:
        number = float(said.get(name, "0"))
    except ValueError:
        return 0.0
    return number if 0 <= number < 1 << 62 else 0.0
