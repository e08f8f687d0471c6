"""One step on one host, from its beginning to its end; and what the notes on a guest say of a step.

Separate from hosts.py because that one keeps account of steps and this carries them out. The order is the crash safety: what will be
done is noted on the guest before it is done.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from autoscaler.adapters.libvirt_domains.connection import Connection, Guest
from autoscaler.adapters.libvirt_domains.description import Making, Note, guest_xml
from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, StepReport, StepRequest
from autoscaler.errors import ActuationError

POLL_S = 0.2
DONE, FAILED, RUNNING = "done", "failed", "running"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a migration goes to, and how; see LibvirtHost. `bandwidth_bytes_per_s` 0: as the driver has it."""

    target: str
    connection: Connection
    migrate_uri: str
    transfer_uri: str
    bandwidth_bytes_per_s: float


def start(connection: Connection, step: str, spec: AppVMSpec, making: Making) -> StepReport:
    """The guest comes with the note of this step: there is no instant in which it runs and is not known as ours."""
    if connection.find(spec.uuid) is None:
        _check_room(connection, spec.memory_bytes)
        connection.start(guest_xml(spec, making, (Note(step, "start"),)))
    return StepReport(step, DONE)


def change(connection: Connection, step: str, request: StepRequest) -> AppVMSpec:
    """Stop, kill, pause, resume; what was changed. Raises ActuationError for what libvirt is not asked for."""
    guest, uuid = _needed(connection, request.subject), request.subject
    if request.kind == "stop":
        _wait_for_its_end(connection, uuid, request.patience_s)
    if request.kind in ("stop", "kill"):
        connection.destroy(uuid)
    elif request.kind in ("pause", "resume"):
        connection.note(uuid, (*guest.notes, Note(step, request.kind)))
        connection.pause(uuid) if request.kind == "pause" else connection.resume(uuid)
    else:
        raise ActuationError(f"{request.kind} is not offered through libvirt", temporary=False)
    return guest.spec


def move(connection: Connection, step: str, uuid: str, route: Route, downtime_s: float) -> StepReport:
    guest = _needed(connection, uuid)
    _check_room(route.connection, guest.spec.memory_bytes)
    connection.note(uuid, (*guest.notes, Note(step, "migrate", route.target)))
    began, over = time.monotonic(), threading.Event()
    if downtime_s:
        threading.Thread(target=_limit, args=(connection, uuid, downtime_s, over), daemon=True).start()
    try:
        connection.migrate(uuid, route.migrate_uri, route.transfer_uri, route.bandwidth_bytes_per_s)
    finally:
        over.set()
    total_s, figures = time.monotonic() - began, route.connection.arrival(uuid)
    return StepReport(
        step,
        DONE,
        total_s=total_s,
        downtime_s=figures.get("downtime_s"),
        sent_bytes=int(figures.get("sent_bytes", 0)),
    )


def told(note: Note, guest: Guest, here: str) -> StepReport:
    """What a note on a guest of this host says of the step. Only of the newest one can it be that it did not come to its end."""
    on_its_way = note.kind == "migrate" and note == guest.notes[-1] and (note.target != here or guest.paused)
    if not on_its_way:
        return StepReport(note.step, DONE)
    if guest.busy or guest.paused:
        return StepReport(note.step, RUNNING)
    return StepReport(note.step, FAILED, f"the migration to {note.target} was cut off; it runs where it was")


def report(guest: Guest, here: str) -> AppVMReport:
    state = "running"
    if guest.paused:
        newest = guest.notes[-1] if guest.notes else Note("", "")
        moving = newest.kind == "migrate"
        state = "paused" if not moving else "arriving" if newest.target == here else "leaving"
    return AppVMReport(
        spec=guest.spec,
        state=state,
        cpu_s=guest.cpu_s,
        memory_used_bytes=guest.memory_used_bytes,
        memory_allocated_bytes=guest.spec.memory_bytes,
        moves=sum(note.kind == "migrate" for note in guest.notes),
        sample_age_s=0.0,
    )


def _needed(connection: Connection, uuid: str) -> Guest:
    guest = connection.find(uuid)
    if guest is None:
        raise ActuationError(f"there is no app VM {uuid} at {connection.uri}", temporary=False)
    return guest


def _check_room(connection: Connection, memory_bytes: int) -> None:
    free = connection.facts().free_bytes
    if free < memory_bytes:
        raise ActuationError(f"{memory_bytes >> 20} MiB are wanted and {free >> 20} MiB are free", temporary=False)


def _wait_for_its_end(connection: Connection, uuid: str, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    if patience_s <= 0 or not connection.ask_to_end(uuid):
        return
    while time.monotonic() < deadline and connection.find(uuid) is not None:
        time.sleep(POLL_S)


def _limit(connection: Connection, uuid: str, downtime_s: float, over: threading.Event) -> None:
    """A limit can be set only while a migration is under way."""
    try:
        while not connection.limit_downtime(uuid, downtime_s) and not over.wait(POLL_S):
            pass
    except ActuationError:
        return  # the migration's own thread says what is the matter
