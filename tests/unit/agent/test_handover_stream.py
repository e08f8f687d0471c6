"""Pipes to and from a save helper: read to the end that is said, written as room comes, drained when nothing is left unread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from autoscaler.agent.handover_quiet import Quiet
from autoscaler.agent.handover_stream import Inflow, Outflow
from autoscaler.errors import ActuationError

MUCH = bytes(range(256)) * 2048  # half a megabyte: more than a pipe takes


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    inlet, outlet = os.pipe()
    yield inlet, outlet
    for descriptor in (inlet, outlet):
        os.close(descriptor)


def test_what_was_written_before_the_end_was_said_is_read_though_the_pipe_stays_open(pipe) -> None:
    inlet, outlet = pipe

    async def story() -> bytes:
        over, got = asyncio.Event(), b""
        outflow = Outflow(inlet, over)
        os.write(outlet, b"pages")
        asyncio.get_running_loop().call_soon(lambda: (os.write(outlet, b", the last"), over.set()))
        while stretch := await outflow.read(4):
            got += stretch
        return got

    assert asyncio.run(story()) == b"pages, the last"


def test_it_is_drained_when_all_was_read_and_dealt_with(pipe) -> None:
    inlet, outlet = pipe

    async def story() -> list[str]:
        told: list[str] = []
        over, dealt = asyncio.Event(), asyncio.Event()
        outflow = Outflow(inlet, over)
        os.write(outlet, b"pages")

        async def read() -> None:
            while await outflow.read(100):
                told.append("read")
                await dealt.wait()
                told.append("dealt with")

        async def ask() -> None:
            await outflow.drained()
            told.append("drained")
            over.set()

        reading, asking = asyncio.create_task(read()), asyncio.create_task(ask())
        while not told:  # noqa: ASYNC110  what is read is told by nobody else
            await asyncio.sleep(0)
        dealt.set()
        await asyncio.gather(reading, asking)
        return told

    assert asyncio.run(story()) == ["read", "dealt with", "drained"]


def test_what_a_pipe_does_not_take_at_once_is_written_as_room_comes(pipe) -> None:
    inlet, outlet = pipe

    async def story() -> bytes:
        inflow, got = Inflow(outlet, asyncio.Event()), b""
        writing = asyncio.create_task(inflow.write(MUCH))
        os.set_blocking(inlet, False)
        while len(got) < len(MUCH):
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                got += os.read(inlet, 1 << 16)
        await writing
        await inflow.drained()
        return got

    assert asyncio.run(story()) == MUCH


def test_it_is_not_drained_while_something_is_unread(pipe) -> None:
    inlet, outlet = pipe

    async def story() -> bool:
        inflow = Inflow(outlet, asyncio.Event())
        await inflow.write(b"pages")
        draining = asyncio.create_task(inflow.drained())
        for _ in range(5):
            await asyncio.sleep(0)
        early = draining.done()
        os.read(inlet, 100)
        await draining
        return early

    assert asyncio.run(story()) is False


def test_nobody_reads_any_more() -> None:
    async def story(other: int) -> None:
        inflow = Inflow(other, asyncio.Event())
        await inflow.write(b"pages")
        os.close(inlet)
        for act in (inflow.drained(), inflow.write(b"more")):
            with pytest.raises(BrokenPipeError):
                await asyncio.wait_for(act, 5)

    inlet, alone = os.pipe()
    asyncio.run(story(alone))
    os.close(alone)


def test_a_restore_that_has_failed_and_lives_on_is_noticed_with_a_full_pipe(pipe) -> None:
    _, outlet = pipe

    async def story() -> None:
        over = asyncio.Event()
        inflow = Inflow(outlet, over)
        writing, draining = asyncio.create_task(inflow.write(MUCH)), asyncio.create_task(inflow.drained())
        for _ in range(5):
            await asyncio.sleep(0)
        over.set()
        for waiting in (writing, draining):
            with pytest.raises(BrokenPipeError):
                await asyncio.wait_for(waiting, 5)

    asyncio.run(story())


def test_a_save_that_ends_while_it_is_waited_for_is_noticed() -> None:
    async def story(inlet: int, outlet: int) -> None:
        outflow = Outflow(inlet, asyncio.Event())
        os.close(outlet)
        assert await outflow.read(100) == b""
        with pytest.raises(ActuationError, match="in the middle"):
            await asyncio.wait_for(outflow.drained(), 5)
        os.close(inlet)

    asyncio.run(story(*os.pipe()))


def test_others_wait_while_somebody_stands_still_and_no_longer() -> None:
    async def story() -> list[str]:
        quiet, told = Quiet(), []

        async def look() -> None:
            await quiet.over()
            told.append("looked")

        await look()
        quiet.begin("a")
        quiet.begin("b")
        looking = asyncio.create_task(look())
        quiet.end("a")
        for _ in range(3):
            await asyncio.sleep(0)
        told.append("b stands still")
        quiet.end("b")
        quiet.end("b")
        await looking
        return told

    assert asyncio.run(story()) == ["looked", "b stands still", "looked"]
