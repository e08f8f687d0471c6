"""Files for an app VM: a cpio archive ("newc") in memory, which the library OS mounts read-only as its first files.

Separate because it is one format, made here and nowhere else. The same files in the same place are the same bytes, so that an
agent that has them already is not sent them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from autoscaler.errors import UsageError

DIRECTORY, FILE = 0o040755, 0o100644
MOST_BYTES = 256 << 20  # it is all memory of the app VM
TRAILER = "TRAILER!!!"


def packed(wishes: Iterable[str]) -> bytes:
    """The archive of `wishes`, each FILE-OR-DIRECTORY:/PATH or a directory alone, which becomes the root.

    Raises UsageError for what is not there, and for two files in one place.
    """
    files: dict[str, Path] = {}
    for wish in wishes:
        for place, path in _files(wish):
            if place in files:
                raise UsageError(f"-v: {path} and {files[place]} both become /{place}")
            files[place] = path
    folders = {str(above) for place in files for above in PurePosixPath(place).parents} - {"."}
    if clash := sorted(folders & files.keys()):
        raise UsageError(f"-v: /{clash[0]} would be a file and a folder")
    entries = {**dict.fromkeys(folders, None), **files}
    archive = b"".join(_entry(n, place, entries[place]) for n, place in enumerate(sorted(entries), start=1))
    if len(archive) > MOST_BYTES:
        raise UsageError(f"-v: {len(archive) >> 20} MiB of files; at most {MOST_BYTES >> 20} MiB fit")
    return archive + _header(0, TRAILER, 0, 0)


def _files(wish: str) -> list[tuple[str, Path]]:
    source, colon, target = wish.rpartition(":")
    if not colon:
        source, target = wish, "/"
    path = Path(source)
    if not target.startswith("/") or ".." in PurePosixPath(target).parts:
        raise UsageError(f"-v {wish}: write FILE:/PATH or DIRECTORY:/PATH, with an absolute path in the app VM")
    root = PurePosixPath(target.lstrip("/"))
    if path.is_file():
        name = root / path.name if target.endswith("/") else root
        return [(str(name), path)]
    if path.is_dir():
        inside = sorted(each for each in path.rglob("*") if each.is_file())
        return [(str(root / each.relative_to(path).as_posix()), each) for each in inside]
    raise UsageError(f"-v {wish}: {source or wish} is not there")


def _entry(number: int, place: str, path: Path | None) -> bytes:
    if path is None:
        return _header(number, place, DIRECTORY, 0)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"-v: {path} cannot be read ({error.strerror})") from error
    return _header(number, place, FILE, len(content)) + content + b"\0" * (-len(content) % 4)


def _header(number: int, place: str, mode: int, size: int) -> bytes:
    """Six bytes of magic, thirteen fields of eight hexadecimal digits, the name; padded to four bytes."""
    name = place.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4)
