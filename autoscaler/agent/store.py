"""What the agent must not forget: one small JSON file per app VM and per step, whole or not at all, on disk when `keep` returns.

Separate because every promise about crashes rests on it. It knows files, not what is in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoscaler.errors import UsageError

SECRET = 0o600


def write_durably(path: Path, content: bytes, mode: int = SECRET) -> None:
    """Replace `path` at one instant; on disk, name and all, when this returns."""
    part = path.with_name(path.name + ".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123  made with its mode
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Shelf:
    """Documents by key, each in a file of its own. Keys may hold any sign: files are named by digest, and hold the key."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, key: str, document: Any) -> None:
        write_durably(self._path(key), json.dumps({"key": key, "value": document}, sort_keys=True).encode())

    def drop(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        sync_directory(self._directory)

    def all(self, say: Callable[[str], object]) -> dict[str, Any]:
        """Every document by key, oldest first. What cannot be read is set aside, never deleted, and `say` is told."""
        found: dict[str, Any] = {}
        for path in sorted(self._directory.glob("*.json"), key=lambda each: (each.stat().st_mtime_ns, each.name)):
            try:
                entry = json.loads(path.read_bytes())
                found[entry["key"]] = entry["value"]
            except (ValueError, KeyError, TypeError) as error:
                path.replace(path.with_suffix(".unreadable"))
                say(f"{path} cannot be read ({error}); set aside as {path.stem}.unreadable")
        return found

    def _path(self, key: str) -> Path:
        return self._directory / f"{sha256(key.encode()).hexdigest()[:32]}.json"


def one_of(kind: str, key: str, known: dict[str, Any]) -> Any:
    """The entry, or a UsageError that names it."""
    if key not in known:
        raise UsageError(f"there is no {kind} {key!r} on this cloud VM")
    return known[key]
