"""Logs that never end: what is oldest is given back to the disk, and every reader goes on where it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from autoscaler.agent.logs import FILE_KEPT_BYTES, FILE_MOST_BYTES, SECTOR_BYTES, Logs

LINE = b"%063d\n"
LINES = FILE_MOST_BYTES // 64 + 4096  # a quarter of a MiB more than may stay


@pytest.fixture
def console(tmp_path: Path) -> Path:
    path = tmp_path / "guest-web.log"
    path.write_bytes(b"".join(LINE % number for number in range(LINES)))
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "kept", pytest.fail)


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * SECTOR_BYTES


def read(logs: Logs, console: Path, tail: int | None = None) -> list[bytes]:
    async def all_of_it() -> bytes:
        pieces = logs.pieces("uuid", [console], 0, None)
        return b"".join([piece async for piece in logs.follow(lambda: pieces, lambda: False, tail)])

    return asyncio.run(all_of_it()).splitlines(keepends=True)


def test_the_newest_stays_and_positions_are_what_they_were(logs, console):
    size = console.stat().st_size
    logs.shorten([console])
    assert console.stat().st_size == size
    assert FILE_KEPT_BYTES <= on_disk(console) <= FILE_KEPT_BYTES + (64 << 10)
    lines = read(logs, console)
    assert lines[0] == LINE % (LINES - len(lines))
    assert len(lines) == FILE_KEPT_BYTES // 64
    assert lines[-1] == LINE % (LINES - 1)
    assert read(logs, console, tail=2) == [LINE % (LINES - 2), LINE % (LINES - 1)]
    assert read(logs, console, tail=LINES)[0] == lines[0], "more lines were asked for than there are"
    assert logs.end_of(logs.pieces("uuid", [console], 0, None), 64) == LINE % (LINES - 1)


def test_of_one_that_ended_long_ago_under_the_same_name_nothing_is_made_up(logs, console):
    logs.shorten([console])
    old = logs.pieces("uuid", [console], 64, 640)
    assert logs.end_of(old, 1 << 20) == b""
    assert logs.tail(old) == ""


def test_who_writes_and_who_follows_notice_nothing(logs, console):
    async def story() -> None:
        heard, living = [], True
        pieces = logs.pieces("uuid", [console], 0, None)

        async def listen() -> None:
            async for piece in logs.follow(lambda: pieces, lambda: living, tail=1):
                heard.append(piece)  # noqa: PERF401  one by one, as they come

        with console.open("ab") as writer:
            listening = asyncio.ensure_future(listen())
            while not heard:  # noqa: ASYNC110  what is waited for is the other task
                await asyncio.sleep(0)
            logs.shorten([console])
            writer.write(b"still here\n")
            writer.flush()
            living = False
            await listening
        assert b"".join(heard) == LINE % (LINES - 1) + b"still here\n"

    asyncio.run(asyncio.wait_for(story(), 20))


def test_short_ones_and_those_that_are_gone_are_left_alone(logs, tmp_path):
    short = tmp_path / "guest-db.log"
    short.write_bytes(b"x" * 100)
    logs.shorten([short])
    assert short.read_bytes() == b"x" * 100


def test_what_cannot_be_shortened_is_said(tmp_path):
    said: list[str] = []
    Logs(tmp_path / "kept", said.append).shorten([tmp_path / "nowhere.log"])
    assert said == [
        f"{tmp_path}/nowhere.log grows without bound: [Errno 2] No such file or directory: '{tmp_path}/nowhere.log'"
    ]
