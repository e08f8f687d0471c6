"""Opening what a user names as a trace: there or not, empty, too big, packed, text in the wrong encoding. One line each.

Separate so that every reader may assume bytes it can read. No layout may be known here.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from autoscaler.errors import UsageError

MOST_BYTES = 512 << 20  # of one file as it is, and of one file unpacked
MOST_MEMBER_BYTES = 64 << 20
MOST_MEMBERS = 200_000
PEEK_BYTES = 64 << 10
MIB = 1 << 20


def refuse(path: Path, why: str) -> UsageError:
    return UsageError(f"trace {str(path)!r} cannot be read: {why}")


def check(path: Path) -> None:
    """Raises UsageError where there is nothing to read, or too much."""
    if not path.exists():
        raise refuse(path, "there is no such file or folder")
    if path.is_dir():
        if not any(path.iterdir()):
            raise refuse(path, "the folder is empty")
        return
    if not path.is_file():
        raise refuse(path, "it is neither a file nor a folder")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise refuse(path, error.strerror or str(error)) from error
    if size == 0:
        raise refuse(path, "the file is empty")
    if size > MOST_BYTES:
        raise refuse(
            path,
            f"it has {size / MIB:.0f} MiB, the limit is {MOST_BYTES // MIB} MiB; cut it into several, or thin it out",
        )


def unpacked(path: Path) -> bytes:
    """All of a file, unpacked where it is gzip; UsageError where that is damaged or too much."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(path, f"it is cut short or damaged ({error})") from error
    if len(content) > MOST_BYTES:
        raise refuse(path, f"unpacked it has more than {MOST_BYTES // MIB} MiB")
    return content


def text(path: Path) -> str:
    """All of a text file. UTF-8, with or without a byte order mark."""
    return decoded(path, unpacked(path))


def decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(
            path, f"byte {error.start} is not UTF-8; expected a text file in UTF-8 (or a Parquet file)"
        ) from error


def first_line(path: Path) -> str:
    """Of a text file, for finding out its layout."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            head = file.read(PEEK_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(path, f"it is cut short or damaged ({error})") from error
    line = head.split(b"\n", 1)[0]
    return decoded(path, line).strip("\r")


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of a folder or tar archive, by name."""
    found, total = list[tuple[str, bytes]](), 0
    for name, content in _folder(path) if path.is_dir() else _tar(path):
        found.append((name, content))
        total += len(content)
        if total > MOST_BYTES:
            raise refuse(path, f"its files have more than {MOST_BYTES // MIB} MiB together; cut it into several")
    yield from sorted(found)


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in path.iterdir():
        if file.is_file():
            if file.stat().st_size > MOST_MEMBER_BYTES:
                raise refuse(file, f"one file of a folder may have {MOST_MEMBER_BYTES // MIB} MiB at most")
            yield file.name, file.read_bytes()


def _tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for count, member in enumerate(archive):
                if count > MOST_MEMBERS or member.size > MOST_MEMBER_BYTES:
                    raise refuse(path, "it holds more, or bigger, files than any trace has")
                file: IO[bytes] | None = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name.rsplit("/", 1)[-1], file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise refuse(path, f"the archive is cut short or damaged ({reason})") from error
