"""What a step does, one function per kind. Each may be begun again at any point of itself, by an agent that knows nothing but
what is kept and what is seen: it first looks how far it had come.

Separate from steps.py, which knows that steps are kept, ordered and reported, and from keeper.py, which changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from autoscaler.agent.descriptions import AppVMSpec, StepRequest
from autoscaler.agent.hypervisor import Files, Halt, Sighting
from autoscaler.agent.images import Images
from autoscaler.agent.keeper import ENDED, PRESENT, SAVED, STARTING, Keeper, Kept
from autoscaler.errors import ActuationError, UsageError

# An allowance, not measured, for what an app VM takes of Xen beside its memory: page tables, p2m, vcpu.
SIDE_BYTES = 1 << 20


class Transfer(Protocol):
    """What a move came to."""

    @property
    def total_s(self) -> float: ...
    @property
    def downtime_s(self) -> float: ...
    @property
    def sent_bytes(self) -> int: ...
    @property
    def phases(self) -> dict[str, float]: ...


Move = Callable[[str, StepRequest], Awaitable[Transfer]]
"""(step id, request of kind migrate)"""


@dataclass(frozen=True, slots=True)
class Bench:
    """What deeds work with. `move`: None where this agent cannot send app VMs away."""

    keeper: Keeper
    images: Images
    directory: Path
    move: Move | None = None

    def disk(self, uuid: str) -> Path:
        return self.directory / "disks" / uuid

    def saved(self, uuid: str) -> Path:
        return self.directory / "saved" / uuid


async def start(bench: Bench, step: str, request: StepRequest) -> None:
    """From nothing, or anew after it ended."""
    del step
    assert request.spec is not None
    spec, keeper = request.spec, bench.keeper
    _free_to_start(keeper, spec)
    before = keeper.records.get(spec.uuid)
    if before is None or before.phase != PRESENT:
        await _made(bench, spec, request.sources)
    await keeper.look()
    seen = keeper.seen(spec.uuid)
    if seen is None:
        raise ActuationError(f"{spec.name} was made, and is gone", temporary=True)
    await keeper.hypervisor.unpause(seen)
    await keeper.look()


def _free_to_start(keeper: Keeper, spec: AppVMSpec) -> None:
    known = keeper.records.get(spec.uuid)
    if half := keeper.halves().get(spec.uuid):
        raise ActuationError(f"{spec.name} is {half}", temporary=True)
    if known and known.phase == SAVED:
        raise UsageError(f"{spec.name} is saved: restore it, or remove it first")
    if known and known.phase == PRESENT and known.spec != spec:
        raise UsageError(f"{spec.name} ({spec.uuid}) runs already, made of another description")
    check_name_free(keeper, spec)


def check_name_free(keeper: Keeper, spec: AppVMSpec) -> None:
    for other in keeper.records.values():
        if other.spec.name == spec.name and other.spec.uuid != spec.uuid and other.phase != ENDED:
            raise UsageError(f"{spec.name!r} is taken by app VM {other.spec.uuid}: names are unique")


async def _made(bench: Bench, spec: AppVMSpec, sources: tuple[str, ...]) -> None:
    """Paused and kept as present; or all traces removed, and the reason raised."""
    keeper, uuid = bench.keeper, spec.uuid
    before = keeper.records.get(uuid)
    observation = await keeper.look()
    log_from = keeper.logs.size(keeper.hypervisor.console(spec.name))
    keeper.keep(Kept(spec, STARTING, observation.boot_id, log_from=log_from))
    try:
        files = await _files(bench, spec, sources)
        await _cleared(keeper, uuid)
        check_room(keeper, spec)
        await keeper.hypervisor.create(spec, files)
    except (ActuationError, UsageError):
        await _cleared(keeper, uuid)
        if before is not None and before.phase == ENDED:
            keeper.keep(before)
        else:
            forget(bench, uuid)
        raise
    keeper.keep(replace(keeper.record(uuid), phase=PRESENT, started_at=keeper.clock()))


async def _cleared(keeper: Keeper, uuid: str) -> None:
    """No half of it is left. Only for what has never run: whoever runs is never cleared away."""
    await keeper.hypervisor.settled(uuid)
    await keeper.look()
    if seen := keeper.seen(uuid):
        await keeper.hypervisor.destroy(seen)
        await keeper.look()


async def _files(bench: Bench, spec: AppVMSpec, sources: tuple[str, ...]) -> Files:
    images = bench.images
    for digest in filter(None, (spec.image, spec.files, spec.disk)):
        if not images.has(digest):
            await asyncio.to_thread(images.fetch, digest, sources)
    if spec.disk:
        await asyncio.to_thread(images.copy, spec.disk, bench.disk(spec.uuid))
    return Files(
        image=images.path(spec.image),
        files=images.path(spec.files) if spec.files else None,
        disk=bench.disk(spec.uuid) if spec.disk else None,
    )


def check_room(keeper: Keeper, spec: AppVMSpec) -> None:
    assert keeper.observation is not None
    wanted, free = spec.memory_bytes + SIDE_BYTES, keeper.observation.free_bytes
    if wanted > free:
        raise ActuationError(
            f"{spec.name} needs {wanted / 2**20:.1f} MiB and {keeper.name} has {free / 2**20:.1f} MiB left",
            temporary=False,
        )


async def stop(bench: Bench, step: str, request: StepRequest) -> None:
    """Ask, wait, and kill what does not end by itself."""
    keeper, uuid = bench.keeper, request.uuid
    record = keeper.record(uuid)
    if record.phase == ENDED:
        return
    seen = await _present(keeper, record)
    keeper.keep(replace(record, asked="stop"))
    await keeper.hypervisor.unpause(seen)
    await keeper.hypervisor.ask_to_stop(seen)
    if not await _ended(keeper, uuid, request.patience_s):
        await kill(bench, step, request)


async def kill(bench: Bench, step: str, request: StepRequest) -> None:
    """At once, whatever it does."""
    del step
    keeper, uuid = bench.keeper, request.uuid
    record = keeper.record(uuid)
    if record.phase == ENDED:
        return
    seen = await _present(keeper, record)
    keeper.keep(replace(record, asked="kill"))
    await keeper.hypervisor.destroy(seen)
    await keeper.look()
    if uuid in keeper.records and keeper.records[uuid].phase != ENDED:
        raise ActuationError(f"{record.spec.name} was killed, and is still there", temporary=True)


async def _ended(keeper: Keeper, uuid: str, patience_s: float) -> bool:
    deadline = asyncio.get_running_loop().time() + patience_s
    while uuid in keeper.records and keeper.records[uuid].phase != ENDED:
        left_s = deadline - asyncio.get_running_loop().time()
        if left_s <= 0 or not await keeper.news(left_s):
            return False
    return True


async def remove(bench: Bench, step: str, request: StepRequest) -> None:
    """Forget what does not run, with all that belongs to it."""
    del step
    record = bench.keeper.records.get(request.uuid)
    if record is None:
        return
    if record.phase in (PRESENT, STARTING):
        raise UsageError(f"{record.spec.name} runs: stop or kill it first")
    forget(bench, request.uuid)


def forget(bench: Bench, uuid: str) -> None:
    for path in (bench.saved(uuid), bench.disk(uuid)):
        path.unlink(missing_ok=True)
    bench.keeper.logs.forget(uuid)
    bench.keeper.drop(uuid)


async def pause(bench: Bench, step: str, request: StepRequest) -> None:
    del step
    seen = await _present(bench.keeper, bench.keeper.record(request.uuid))
    await bench.keeper.hypervisor.pause(seen)
    await bench.keeper.look()


async def resume(bench: Bench, step: str, request: StepRequest) -> None:
    del step
    seen = await _present(bench.keeper, bench.keeper.record(request.uuid))
    await bench.keeper.hypervisor.unpause(seen)
    await bench.keeper.look()


async def save(bench: Bench, step: str, request: StepRequest) -> None:
    """Its memory to a file; it is destroyed only when the file is whole and that is kept."""
    del step
    keeper, uuid = bench.keeper, request.uuid
    record = keeper.record(uuid)
    if record.phase == PRESENT:
        await keeper.hypervisor.settled(uuid)
        seen = await _present(keeper, record)
        if seen.paused:
            if record.asked != "save":
                raise UsageError(f"{record.spec.name} is paused and cannot prepare itself: resume it first")
            await keeper.hypervisor.unpause(seen)  # an agent that died had saved it, and not kept that
        record = replace(record, asked="save")
        keeper.keep(record)
        bench.saved(uuid).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await keeper.hypervisor.save(seen, bench.saved(uuid))
        keeper.keep(replace(record, phase=SAVED))
    elif record.phase != SAVED:
        raise UsageError(f"{record.spec.name} does not run: there is nothing to save")
    await _cleared(keeper, uuid)


async def restore(bench: Bench, step: str, request: StepRequest) -> None:
    """From its file; the file goes when it is kept that it runs."""
    del step
    keeper, uuid = bench.keeper, request.uuid
    record = keeper.record(uuid)
    if record.phase == SAVED:
        await _cleared(keeper, uuid)
        check_room(keeper, record.spec)
        await keeper.hypervisor.restore(record.spec, bench.saved(uuid))
        assert keeper.observation is not None
        keeper.keep(replace(record, phase=PRESENT, asked="restore", boot_id=keeper.observation.boot_id))
    elif record.phase != PRESENT or record.asked != "restore":
        raise UsageError(f"{record.spec.name} is not saved: there is nothing to restore")
    await keeper.look()
    seen = await _present(keeper, keeper.record(uuid))
    await keeper.hypervisor.unpause(seen)
    bench.saved(uuid).unlink(missing_ok=True)
    await keeper.look()


async def migrate(bench: Bench, step: str, request: StepRequest) -> Transfer:
    record = bench.keeper.records.get(request.uuid)
    if record and record.spec.disk:
        raise UsageError(
            f"{record.spec.name} has a disk of its own on {bench.keeper.name}, and disks do not move: stop it and start it "
            "elsewhere with a new one, or give it files instead of a disk"
        )
    if bench.move is None:
        raise ActuationError("this agent sends no app VMs away: it has no back network", temporary=False)
    return await bench.move(step, request)


async def _present(keeper: Keeper, record: Kept) -> Sighting:
    """What is seen of an app VM that runs or is paused here. Raises UsageError where it does not."""
    if half := keeper.halves().get(record.spec.uuid):
        raise ActuationError(f"{record.spec.name} is {half}", temporary=True)
    if record.phase != PRESENT:
        raise UsageError(
            f"{record.spec.name} does not run here: it is {'stopped' if record.phase == ENDED else record.phase}"
        )
    await keeper.look()
    seen = keeper.seen(record.spec.uuid)
    if seen is None or (seen.halt not in (Halt.NONE, Halt.SUSPEND)):
        raise ActuationError(f"{record.spec.name} has ended", temporary=False)
    return seen


Deed = Callable[[Bench, str, StepRequest], Awaitable[Transfer | None]]
DEEDS: dict[str, Deed] = {
    "start": start, "stop": stop, "kill": kill, "remove": remove, "pause": pause, "resume": resume,
    "save": save, "restore": restore, "migrate": migrate,
}  # fmt: skip
