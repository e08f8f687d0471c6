"""What app VMs said on their consoles, across starts and moves: pieces of files, read from any point and followed.

Separate because the daemon that writes the files knows names only, appends to what an earlier app VM of that name left, and
never ends: what is oldest in a file that has grown long is given back to the disk, and all positions stay what they were.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.2
PIECE_BYTES = 1 << 16
TAIL_BYTES = 8 << 10  # of a console's end, where a panic stands
INHERITED_MOST_BYTES = 256 << 10  # of what was said before a move, taken along
FILE_MOST_BYTES, FILE_KEPT_BYTES = 8 << 20, 4 << 20  # on disk of one file, and what is left of it when it has more
BLOCK_BYTES, SECTOR_BYTES = 4096, 512  # of the file system, and what stat(2) counts in
KEEP_SIZE, PUNCH_HOLE = 1, 2  # <linux/falloc.h>
_c = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `begin` to `end` of a file; None = to its end, wherever that is by then."""

    path: Path
    begin: int = 0
    end: int | None = None

    def read(self, skipped: int, most: int = PIECE_BYTES) -> bytes:
        begin = self.begin + skipped
        if self.end is not None:
            most = min(most, self.end - begin)
        if most <= 0:
            return b""
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                return file.read(most)
        except FileNotFoundError:
            return b""

    def past_hole(self, skipped: int) -> int:
        """`skipped`, or where the bytes begin that are still there after it."""
        try:
            with self.path.open("rb") as file:
                return max(skipped, os.lseek(file.fileno(), self.begin + skipped, os.SEEK_DATA) - self.begin)
        except OSError:  # not there, or nothing after it
            return skipped

    @property
    def size(self) -> int:
        size = self.path.stat().st_size if self.path.exists() else 0
        return max(0, (size if self.end is None else min(size, self.end)) - self.begin)


class Logs:
    """`directory` holds what moved app VMs had said before; `say` is the agent's own log."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self._directory, self.say = directory, say
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def size(self, console: Sequence[Path]) -> int:
        return sum(Piece(path).size for path in console)

    def pieces(self, uuid: str, console: Sequence[Path], begin: int, end: int | None) -> list[Piece]:
        """Of the console's files, taken as one after the other, the bytes from `begin` to `end`, after what was inherited."""
        pieces, past = [Piece(self._before(uuid))], 0
        for n, path in enumerate(console):
            size = Piece(path).size
            last = n == len(console) - 1
            stop = None if end is None else max(0, end - past)
            if last or past + size > begin:
                pieces.append(Piece(path, max(0, begin - past), stop if stop is not None or last else size))
            past += size
        return pieces

    def tail(self, pieces: Sequence[Piece], most_bytes: int = TAIL_BYTES) -> str:
        return self.end_of(pieces, most_bytes).decode(errors="replace")

    def end_of(self, pieces: Sequence[Piece], most_bytes: int) -> bytes:
        found = b""
        for piece in reversed(pieces):
            if len(found) >= most_bytes:
                break
            skipped = piece.past_hole(max(0, piece.size - (most_bytes - len(found))))
            found = piece.read(skipped, piece.size - skipped) + found
        return found

    def inherit(self, uuid: str, said: bytes) -> None:
        """What it had said where it came from."""
        self._before(uuid).write_bytes(said[-INHERITED_MOST_BYTES:])

    def forget(self, uuid: str) -> None:
        self._before(uuid).unlink(missing_ok=True)

    def shorten(self, files: Sequence[Path]) -> None:
        """Of each that takes much of the disk only the newest is kept. Whoever writes to it notices nothing."""
        for path in files:
            try:
                self._shorten(path)
            except OSError as error:
                self.say(f"{path} grows without bound: {error}")

    def _shorten(self, path: Path) -> None:
        stat = path.stat()
        end = (stat.st_size - FILE_KEPT_BYTES) // BLOCK_BYTES * BLOCK_BYTES
        if stat.st_blocks * SECTOR_BYTES <= FILE_MOST_BYTES or end <= 0:
            return
        with path.open("r+b") as file:
            mode, at = KEEP_SIZE | PUNCH_HOLE, ctypes.c_int64
            if _c.fallocate(file.fileno(), mode, at(0), at(end)) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    async def follow(
        self, pieces: Callable[[], Sequence[Piece]], live: Callable[[], bool], tail: int | None
    ) -> AsyncIterator[bytes]:
        """All of it, or its last `tail` lines, then what comes, as long as `live()`."""
        at, skipped = self._behind(pieces(), tail)
        while True:
            going = live()  # asked before reading: what was said before the end is read after it
            now = pieces()
            while at < len(now):
                skipped = now[at].past_hole(skipped)
                while found := now[at].read(skipped):
                    skipped += len(found)
                    yield found
                if at == len(now) - 1:
                    break
                at, skipped = at + 1, 0
            if not going:
                return
            await asyncio.sleep(POLL_S)

    def _behind(self, pieces: Sequence[Piece], tail: int | None) -> tuple[int, int]:
        """(piece, bytes of it) where the last `tail` lines begin."""
        if tail is None:
            return 0, 0
        wanted = tail
        for at in range(len(pieces) - 1, -1, -1):
            size, begin = pieces[at].size, pieces[at].past_hole(0)
            if tail == 0:
                return at, size
            text = pieces[at].read(begin, size - begin)
            end = len(text)
            lines = text.count(b"\n") + (0 if text.endswith(b"\n") or not text else 1)
            if lines >= wanted:
                for _ in range(wanted):
                    end = text.rfind(b"\n", 0, max(0, end - 1)) + 1
                return at, begin + end
            wanted -= lines
        return 0, 0

    def _before(self, uuid: str) -> Path:
        return self._directory / f"{uuid}.before"
