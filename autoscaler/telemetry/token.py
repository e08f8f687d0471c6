"""The secret that changing anything over HTTP needs: a file only its owner can read, made on first use.

Separate so that the one place that touches the secret is small enough to be read whole. It is never logged or printed.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from autoscaler.errors import UsageError

BYTES = 32  # 256 bits: guessing is not a plan
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_or_make(path: Path) -> str:
    """The token in `path`; a new one (mode 0600, its folder made if need be) where there is no file. Raises UsageError where
    others could read it, or it cannot be written."""
    if path.exists():
        return read(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"cannot write the token file {path}: {error.strerror}; set http.token_file") from error
    token = secrets.token_urlsafe(BYTES)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token


def read(path: Path) -> str:
    """The token in `path`; raises UsageError where there is none, or where others could read it."""
    try:
        mode, text = path.stat().st_mode, path.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        raise UsageError(
            f"cannot read the token file {path}: {error.strerror}; a controller that serves makes it: "
            "start one, or name its file with --token-file"
        ) from error
    if mode & OTHERS:
        raise UsageError(
            f"others can read the token file {path}: run `chmod 600 {path}` or delete it to get a new token"
        )
    if len(text) < BYTES:
        raise UsageError(
            f"the token in {path} has {len(text)} characters, needed {BYTES}: delete it to get a new token"
        )
    return text


def matches(header: str, token: str) -> bool:
    """Whether an `Authorization` header carries `token`; takes the same time wherever they differ."""
    given = header.removeprefix("Bearer ").encode("utf-8", "surrogateescape")
    return header.startswith("Bearer ") and secrets.compare_digest(given, token.encode())
