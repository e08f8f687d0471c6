"""Where trials are kept, so that a session can go on: a file that is only ever added to, or memory.

Separate because this is what a crash leaves behind: whatever it is, the next session goes on from it.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.tune.hands import GROUP

FIRST = b'{"op_code":'  # how a file of kept trials begins


@contextmanager
def kept(path: Path | None) -> Iterator[Any]:
    """Where trials are kept: a file that is only ever added to, or memory."""
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UsageError(f"tune needs optuna, which is not installed: {GROUP}") from None
    optuna.logging.set_verbosity(logging.ERROR)
    if path is None:
        yield optuna.storages.InMemoryStorage()
        return
    with _alone(path):
        try:
            _mend(path)
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError, TypeError):  # JSON that is none, or not of this kind
            raise UsageError(f"{path} is no file of kept trials; name another with --storage") from None
        yield storage


def _mend(path: Path) -> None:
    """Take away a last line that was not written to its end (the disk was full, the power failed). Raises ValueError where
    the file begins as none of ours does: optuna would pass that over, and add to it."""
    with path.open("r+b") as file:
        content = file.read()
        if not content.startswith(FIRST) and not FIRST.startswith(content):
            raise ValueError(content[: len(FIRST)])
        file.truncate(content.rfind(b"\n") + 1)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two sessions that keep their trials in one file would tell each other's."""
    try:
        file = path.open("ab")
    except OSError as error:
        raise UsageError(f"cannot keep trials in {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another session is at work on {path}; wait for it, or name another --storage") from None
        yield
