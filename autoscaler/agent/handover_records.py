"""The durable records of handovers: one small file each, on the disk before anything is done that it permits.

Separate because the promise of handover_rules.py rests on this: a state is what the file says, it changes from a known state
to the next or not at all, and it is written whole (new file, fsync, rename, fsync of the directory). Nothing else is kept here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from autoscaler.agent.handover_rules import Arriving, Leaving
from autoscaler.errors import ActuationError

FORMAT = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One side's record. `side` "leaving" or "arriving"; `boot`: own boot id then; `peer_boot`: the other side's.

    `domid`: of the half, 0 before it exists; `told`: the other side knows that it is over; `released`: the half is a later handover's; `wanted`: a caller may still ask
    how it ended; `figures`: what was measured; `reason`: why it was cancelled or revoked; `passenger`: the app VM's description.
    """

    id: str
    side: str
    state: str
    app_vm: str
    peer: str
    address: str = ""
    boot: str = ""
    peer_boot: str = ""
    domid: int = 0
    told: bool = False
    wanted: bool = True
    released: bool = False
    reason: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    passenger: dict[str, Any] = field(default_factory=dict)

    @property
    def leaving(self) -> Leaving:
        return Leaving(self.state)

    @property
    def arriving(self) -> Arriving:
        return Arriving(self.state)


def handover_id(step: str) -> str:
    """A handover's id: a UUID made of its step's id, since it names a file and, until it starts, the arriving half."""
    return str(uuid.UUID(bytes=hashlib.sha256(step.encode()).digest()[:16]))


class Records:
    """The records of both sides in `directory`, read once, then kept in memory and on disk alike."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = [record for record in map(_read, sorted(directory.glob("*.json"))) if record]
        self._records = {(record.side, record.id): record for record in found}

    def all(self, side: str) -> list[Record]:
        return [record for (of, _), record in sorted(self._records.items()) if of == side]

    def find(self, side: str, handover: str) -> Record | None:
        return self._records.get((side, handover))

    def get(self, side: str, handover: str) -> Record:
        if (record := self.find(side, handover)) is None:
            raise ActuationError(f"there is no {side} handover {handover}", temporary=False)
        return record

    def add(self, record: Record) -> Record:
        """Raises ActuationError where this side knows a handover of that id."""
        if self.find(record.side, record.id):
            raise ActuationError(f"handover {record.id} is known already", temporary=False)
        return self._keep(record)

    def change(self, record: Record, **values: Any) -> Record:
        """Note something of a record that is still as the caller knows it; its state among `values` or not."""
        current = self.get(record.side, record.id)
        if current.state != record.state:
            raise ActuationError(f"handover {record.id} became {current.state} meanwhile", temporary=True)
        changes: dict[str, Any] = {name: str(v) if name == "state" else v for name, v in values.items()}
        return self._keep(replace(current, **changes))

    def forget(self, record: Record) -> None:
        self._records.pop((record.side, record.id), None)
        self._path(record).unlink(missing_ok=True)

    def _keep(self, record: Record) -> Record:
        path = self._path(record)
        written = path.with_suffix(".new")
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, json.dumps({"format": FORMAT, **asdict(record)}).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        written.replace(path)
        _sync_directory(self._directory)
        self._records[record.side, record.id] = record
        return record

    def _path(self, record: Record) -> Path:
        return self._directory / f"{record.id}.{record.side}.json"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Record | None:
    """None where it cannot be read, which only a crash of the whole cloud VM can do to it; then its half is gone too, and the
    other side knows that by the new boot. It is kept beside, for people."""
    try:
        document = json.loads(path.read_bytes())
        assert isinstance(document, dict)
    except (ValueError, AssertionError):
        log.warning("%s cannot be read (did this cloud VM crash?): set aside", path)
        path.replace(path.with_suffix(".unreadable"))
        return None
    if document.pop("format", None) != FORMAT:
        raise ActuationError(
            f"{path} was written by another version of the agent: run that version once", temporary=False
        )
    return Record(**document)
