"""Hosts with libvirt as the runtimes of app VMs: what an agent does for one cloud VM, done from here for all of them.

Steps are carried out in threads beside the loop. Which steps an app VM has been through stands in libvirt, with its guest, before it is
acted on: after a crash of the controller the same step is told as done, under way or failed, and never begun a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from autoscaler.adapters.libvirt_domains import deeds, halves
from autoscaler.adapters.libvirt_domains.connection import Connection, Guest
from autoscaler.adapters.libvirt_domains.deeds import DONE, FAILED, RUNNING
from autoscaler.adapters.libvirt_domains.description import Making
from autoscaler.agent.descriptions import AppVMReport, Ended, HostReport, StepReport, StepRequest
from autoscaler.errors import ActuationError, FlexCapsuleError

T = TypeVar("T")
ANSWER_S = 10.0  # a host that takes longer is silent for this look
ENDINGS = {"stop": "stopped", "kill": "killed"}
ENDED_KEPT = 64


@dataclass(frozen=True, slots=True)
class LibvirtHost:
    """`uri`: where the controller reaches its libvirt; `migrate_uri`: where other hosts' libvirt does; `transfer_uri`: where memory is
    sent to, "" = libvirt chooses."""

    name: str
    uri: str
    migrate_uri: str
    transfer_uri: str = ""


class LibvirtHosts:
    """Implements `Runtimes`; a host's address is its name. `downtime_s`: the longest pause of a migration, `bandwidth_bytes_per_s`: the
    most it may send, 0 = as the driver has it."""

    def __init__(
        self,
        hosts: Sequence[LibvirtHost],
        making: Making,
        *,
        downtime_s: float = 0.0,
        bandwidth_bytes_per_s: float = 0.0,
        answer_s: float = ANSWER_S,
        connect: Callable[[str], Connection] = Connection,
    ) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._answer_s = answer_s
        self._making, self._downtime_s, self._bandwidth = making, downtime_s, bandwidth_bytes_per_s
        self._connections = {host.name: connect(host.uri) for host in hosts}
        self._lock = threading.Lock()
        self._steps: dict[tuple[str, str], StepReport] = {}
        self._followed: dict[tuple[str, str], None] = {}  # begun before our time, not ended when we last asked
        self._ended: dict[str, tuple[str, AppVMReport]] = {}  # what we ended, by uuid, until it is removed
        self._at_work: dict[str, None] = {}  # app VMs that a thread of ours is at work on
        self._seen: dict[str, list[Guest]] = {}
        self._hanging: dict[str, Future[Any]] = {}

    def host(self, address: str) -> HostReport:
        return self._ask(address, lambda: self._look(address))

    def put_step(self, address: str, step: str, request: StepRequest) -> StepReport:
        known = self.step(address, step)
        if known is not None:
            return known
        begun = StepReport(step, RUNNING)
        with self._lock:
            if (address, step) in self._steps:
                return self._steps[address, step]
            self._steps[address, step] = begun
            self._at_work[request.subject] = None
        _begun(lambda: self._carry_out(address, step, request))
        return begun

    def step(self, address: str, step: str) -> StepReport | None:
        """From memory, else from what stands with the guests of this host."""
        known = self._steps.get((address, step))
        return known if known is not None else self.steps(address).get(step)

    def steps(self, address: str) -> Mapping[str, StepReport]:
        return self._ask(address, lambda: self._all_steps(address))

    def _all_steps(self, address: str) -> Mapping[str, StepReport]:
        found: dict[str, StepReport] = {}
        for guest in self._connections[address].guests():
            for note in guest.notes:
                found[note.step] = deeds.told(note, guest, address)
        for name, step in [*self._followed]:
            if name == address and step not in found:
                found[step] = self._gone_from(address, step)
        for id_, report in found.items():
            if report.outcome == RUNNING:
                self._followed[address, id_] = None
        with self._lock:
            return found | {id_: report for (name, id_), report in self._steps.items() if name == address}

    def forget(self, address: str, step: str) -> None:
        with self._lock:
            self._steps.pop((address, step), None)
            self._followed.pop((address, step), None)

    def has_image(self, address: str, digest: str) -> bool:
        return self._ask(address, lambda: self._connections[address].has_file(self._making.images, digest))

    def push_image(self, address: str, digest: str, path: Path) -> None:
        self._connections[address].put_file(self._making.images, digest, path)

    def fence(self, address: str, peer: str, boot_id: str) -> None:
        """A migration is the libvirts' own affair; `settle` judges by what runs."""

    def take_new_keys(self) -> None:
        """Libvirt's own settings say how a host is reached."""

    def settle(self) -> None:
        """Finish what is left of migrations that nobody leads any more."""
        seen = [guest for guests in self._seen.values() for guest in guests]
        for uuid in dict.fromkeys(guest.spec.uuid for guest in seen if halves.halved(guest)):
            if uuid not in self._at_work:
                self._at_work[uuid] = None
                _begun(partial(self._settle, uuid))

    def busy(self) -> bool:
        """Whether a step is under way."""
        return bool(self._at_work)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _ask(self, address: str, question: Callable[[], T]) -> T:
        """The answer, within what the loop may wait for. A host that hangs is asked again when it has come round."""
        hanging = self._hanging.get(address)
        if hanging is not None and not hanging.done():
            raise ActuationError(f"libvirt of {address} still has not answered", temporary=True)
        asked = _begun(question)
        try:
            return asked.result(self._answer_s)
        except Late:
            self._hanging[address] = asked
            raise ActuationError(
                f"libvirt of {address} did not answer in {self._answer_s:g} s", temporary=True
            ) from None

    def _look(self, address: str) -> HostReport:
        connection = self._connections[address]
        facts, guests = connection.facts(), connection.guests()
        self._seen[address] = guests
        return HostReport(
            cloud_vm=address,
            cores=facts.cores,
            memory_bytes=facts.memory_bytes,
            free_bytes=facts.free_bytes,
            agent_version="libvirt",
            boot_id="",
            clock=0.0,
            can_log_dirty=True,
            app_vms=(*(deeds.report(guest, address) for guest in guests), *self._ended_on(address, guests)),
        )

    def _ended_on(self, address: str, guests: Sequence[Guest]) -> list[AppVMReport]:
        """What we ended there: libvirt forgets it at once, and that one look does not show it would prove nothing."""
        there = {guest.spec.uuid for guest in guests}
        return [report for uuid, (host, report) in [*self._ended.items()] if host == address and uuid not in there]

    def _settle(self, uuid: str) -> None:
        """Asked anew, in a thread of its own: what a look saw may be over."""
        try:
            self._resolve(uuid)
        finally:
            self._at_work.pop(uuid, None)

    def _resolve(self, uuid: str) -> None:
        copies: dict[str, Guest] = {}
        silent = []
        for name, connection in self._connections.items():
            try:
                copy = connection.find(uuid)
            except ActuationError:
                silent.append(name)
                continue
            if copy is not None:
                copies[name] = copy
        for act, name in halves.acts(copies, silent):
            connection = self._connections[name]
            try:
                connection.destroy(uuid) if act == halves.DESTROY else connection.resume(uuid)
            except ActuationError:
                return  # seen again, and tried again, at the next look

    def _carry_out(self, address: str, step: str, request: StepRequest) -> None:
        """In a thread of its own; whatever happens, the step ends, or is followed."""
        try:
            ended = self._done(address, step, request)
        except ActuationError as error:
            ended = StepReport(step, FAILED, str(error), error.temporary)
        except FlexCapsuleError as error:
            ended = StepReport(step, FAILED, str(error))
        except Exception as defect:  # noqa: BLE001  a thread's last words, or nobody hears them
            ended = StepReport(step, FAILED, f"a defect of ours: {type(defect).__name__}: {defect}")
        with self._lock:
            if ended.outcome == FAILED and ended.temporary and request.kind == "migrate":
                self._followed[address, step] = None  # the line broke: what became of it, libvirt will say
                self._steps.pop((address, step), None)
            else:
                self._steps[address, step] = ended
            self._at_work.pop(request.subject, None)

    def _done(self, address: str, step: str, request: StepRequest) -> StepReport:
        connection = self._connections[address]
        if request.spec is not None:
            return deeds.start(connection, step, request.spec, self._making)
        if request.kind == "remove":
            self._ended.pop(request.uuid, None)
            return StepReport(step, DONE)
        if request.kind != "migrate":
            spec = deeds.change(connection, step, request)
            if request.kind in ENDINGS:
                self._ended[spec.uuid] = (address, AppVMReport(spec, "stopped", Ended(ENDINGS[request.kind], at=0.0)))
                self._ended = dict([*self._ended.items()][-ENDED_KEPT:])
            return StepReport(step, DONE)
        if request.target not in self._hosts:
            raise ActuationError(f"there is no host {request.target}", temporary=False)
        there = self._hosts[request.target]
        route = deeds.Route(
            there.name, self._connections[there.name], there.migrate_uri, there.transfer_uri, self._bandwidth
        )
        return deeds.move(connection, step, request.subject, route, self._downtime_s)

    def _gone_from(self, address: str, step: str) -> StepReport:
        """A followed step whose app VM is not here any more: whether it is elsewhere."""
        for name, connection in self._connections.items():
            if name == address:
                continue
            for guest in connection.guests():
                found = next((note for note in guest.notes if note.step == step), None)
                if found is not None:
                    return deeds.told(found, guest, name)
        return StepReport(step, FAILED, "its app VM is gone")


def _begun(what: Callable[[], T]) -> Future[T]:
    """In a thread that the end of the process does not wait for: a move goes on without us, and a host may hang for ever."""
    future: Future[T] = Future()

    def carry_out() -> None:
        try:
            future.set_result(what())
        except BaseException as error:  # noqa: BLE001  for whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=carry_out, name="libvirt", daemon=True).start()
    return future
