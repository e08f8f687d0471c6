"""Images by what is in them: a file's name is the SHA-256 of its content, so that a name never means two things.

Separate because images outlive app VMs, and come from three sides: a caller's upload, another agent, a disk's copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from autoscaler.agent.store import sync_directory
from autoscaler.errors import ActuationError, UsageError

FREE_LEAST_BYTES = 32 << 20  # kept free on the disk: records must find room
ZEROS = 1 << 20

Fetch = Callable[[str, str, Callable[[bytes], object]], None]
"""(address of another agent, path, taker): blocking; raises ActuationError."""


class Images:
    """The files of one directory. `fetch` asks another agent for a file; None: there are no others."""

    def __init__(self, directory: Path, fetch: Fetch | None = None) -> None:
        self._directory, self._ask = directory, fetch
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in directory.glob("*.part-*"):
            left.unlink()  # of an agent that died while it received

    def path(self, digest: str) -> Path:
        return self._directory / digest

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def all(self) -> dict[str, int]:
        """Size in bytes by digest."""
        return {path.name: path.stat().st_size for path in sorted(self._directory.iterdir()) if len(path.name) == 64}

    async def receive(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        """Take a file in; UsageError where its content is not what its name says."""
        with self._arriving(digest) as take:
            async for piece in pieces:
                take(piece)

    def fetch(self, digest: str, addresses: Sequence[str]) -> None:
        """Get a missing file from the first of these agents that has it. Blocking. Raises ActuationError."""
        tried, ask = [], self._ask or _nobody
        for address in addresses:
            try:
                with self._arriving(digest) as take:
                    ask(address, f"/v1/images/{digest}", take)
            except (ActuationError, UsageError) as error:
                tried.append(str(error))
            else:
                return
        why = "; ".join(tried) or "no other cloud VM was named that may have it"
        raise ActuationError(f"image {digest[:12]} is not here: {why}", temporary=bool(tried))

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def copy(self, digest: str, to: Path) -> None:
        """A disk of its own for an app VM: whole or not there."""
        if to.exists():
            return
        part = to.with_name(to.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._room(self.path(digest).stat().st_size)
        shutil.copyfile(self.path(digest), part)
        part.replace(to)

    @contextmanager
    def _arriving(self, digest: str) -> Iterator[Callable[[bytes], object]]:
        part = self._directory / f"{digest}.part-{os.urandom(4).hex()}"
        seen = sha256()
        try:
            with part.open("wb") as file:
                yield lambda piece: self._take(piece, seen.update, file)
                file.flush()
                os.fsync(file.fileno())
            if seen.hexdigest() != digest:
                raise UsageError(f"what came is not {digest[:12]}: its SHA-256 is {seen.hexdigest()}")
            part.replace(self.path(digest))
            sync_directory(self._directory)
        finally:
            part.unlink(missing_ok=True)

    def _take(self, piece: bytes, count: Callable[[bytes], object], file: BinaryIO) -> None:
        self._room(len(piece))
        count(piece)
        file.write(piece)

    def _room(self, wanted_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self._directory).free
        if free_bytes - wanted_bytes < FREE_LEAST_BYTES:
            raise ActuationError(
                f"the disk has {free_bytes >> 20} MiB left, of which {FREE_LEAST_BYTES >> 20} are kept free",
                temporary=False,
            )


def _nobody(address: str, path: str, take: Callable[[bytes], object]) -> None:
    del path, take
    raise ActuationError(f"{address} cannot be asked: this agent has no keys", temporary=False)
