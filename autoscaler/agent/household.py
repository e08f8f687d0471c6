"""What this agent does about app VMs that come and go: room and image before one comes, its record when it has come, and no
record when it has left. Separate because handovers know halves of app VMs, and not what an app VM is to the rest of the agent.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Protocol

from autoscaler.agent.deeds import Bench, check_name_free, check_room, forget
from autoscaler.agent.descriptions import AppVMSpec, read_app_vm_spec
from autoscaler.agent.keeper import PRESENT, Kept
from autoscaler.agent.logs import INHERITED_MOST_BYTES
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError


class Coming(Protocol):
    """An app VM that moves, as handovers describe it (handover_passenger.py)."""

    @property
    def app_vm(self) -> str: ...
    @property
    def description(self) -> Mapping[str, str]: ...


class Household:
    """`back`: where other agents reach this one."""

    def __init__(self, bench: Bench, back: str) -> None:
        self._bench, self._keeper, self._back = bench, bench.keeper, back
        self._log_from: dict[str, int] = {}

    def describe(self, app_vm: str) -> dict[str, str]:
        record = self._keeper.record(app_vm)
        said = self._keeper.logs.end_of(self._keeper.pieces(record), INHERITED_MOST_BYTES)
        return {
            "spec": json.dumps(plain(record.spec)),
            "moves": str(record.moves),
            "started_at": json.dumps(record.started_at),
            "said": b64encode(said).decode(),
            "from": self._back,
        }

    async def prepare(self, passenger: Coming) -> None:
        """Raises ActuationError where it cannot come."""
        spec = _spec(passenger)
        known = self._keeper.records.get(spec.uuid)
        if known is not None and known.phase == PRESENT:
            raise ActuationError(f"{spec.name} runs on {self._keeper.name} already", temporary=False)
        await self._keeper.look()
        try:
            check_name_free(self._keeper, spec)
        except UsageError as error:
            raise ActuationError(str(error), temporary=False) from error
        check_room(self._keeper, spec)
        for digest in filter(None, (spec.image, spec.files)):
            if not self._bench.images.has(digest):
                await asyncio.to_thread(self._bench.images.fetch, digest, (passenger.description.get("from", ""),))
        self._log_from[spec.uuid] = self._keeper.logs.size(self._keeper.hypervisor.console(spec.name))

    def arrived(self, passenger: Coming) -> None:
        spec = _spec(passenger)
        known = self._keeper.records.get(spec.uuid)
        if known is not None and known.phase == PRESENT:
            return
        said = passenger.description
        self._keeper.logs.inherit(spec.uuid, b64decode(said.get("said", "")))
        assert self._keeper.observation is not None
        record = Kept(
            spec, PRESENT, self._keeper.observation.boot_id, moves=int(said.get("moves", "0")) + 1,
            started_at=json.loads(said.get("started_at", "null")), log_from=self._log_from.pop(spec.uuid, 0),
        )  # fmt: skip
        self._keeper.keep(record)

    def left(self, app_vm: str, peer: str) -> None:
        del peer
        if app_vm in self._keeper.records:
            forget(self._bench, app_vm)


def _spec(passenger: Coming) -> AppVMSpec:
    """Raises ActuationError where the other side's description is not to be believed."""
    try:
        spec = read_app_vm_spec(json.loads(passenger.description.get("spec", "null")))
    except (ValueError, UsageError) as error:
        raise ActuationError(
            f"the description of {passenger.app_vm} cannot be read: {error}", temporary=False
        ) from error
    if spec.uuid != passenger.app_vm:
        raise ActuationError(f"{passenger.app_vm} is described as {spec.uuid}", temporary=False)
    return spec
