"""This agent's certificate and the authorities it trusts: TLS contexts that follow the files, and the files' replacement.

Separate because it is the only place that touches keys. Files: authority.pem, NAME.pem, NAME.key in one directory, mode 0700.
"""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.agent.store import sync_directory, write_durably
from autoscaler.errors import UsageError

AUTHORITY = "authority.pem"
FIELDS = ("authority", "certificate", "key")
STAGED = "next"  # a whole new set, about to be moved into place


class Credentials:
    """Raises UsageError where the files are missing or do not fit together."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._held: dict[int, tuple[tuple[int, ...], ssl.SSLContext]] = {}
        self._finish_replacing()
        self._newest(ssl.PROTOCOL_TLS_SERVER)

    def serving(self) -> ssl.SSLContext:
        """For listening sockets: each new connection is answered with the files as they are by then."""
        context = self._context(self._directory, ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = self._renewed
        return context

    def calling(self) -> ssl.SSLContext:
        """For a new connection to another agent: asked for each time, so that it is by the files as they are by then."""
        return self._newest(ssl.PROTOCOL_TLS_CLIENT)

    def replace(self, document: Any) -> None:
        """Take a new set, or new authorities alone ("certificate" and "key" empty). All of it is tried before any is used."""
        if not isinstance(document, Mapping) or any(not isinstance(document.get(name, ""), str) for name in FIELDS):
            raise UsageError(f"the document: an object of texts was expected: {', '.join(FIELDS)}")
        new = {name: document.get(name, "").encode() for name in FIELDS}
        if not new["authority"] or bool(new["certificate"]) != bool(new["key"]):
            raise UsageError("authority: is needed; certificate and key: both or neither")
        trial = self._directory / f"{STAGED}.part"
        shutil.rmtree(trial, ignore_errors=True)
        trial.mkdir(mode=0o700)
        try:
            for name, path in zip(FIELDS, self._files(trial), strict=True):
                write_durably(path, new[name] or self._files(self._directory)[FIELDS.index(name)].read_bytes())
            self._context(trial, ssl.PROTOCOL_TLS_SERVER)
            os.rename(trial, self._directory / STAGED)  # noqa: PTH104  fails on a directory that is there, as it must
        finally:
            shutil.rmtree(trial, ignore_errors=True)
        self._finish_replacing()

    def _finish_replacing(self) -> None:
        """Certificate and key belong together, and two files are not moved at one instant: a death in between is made good."""
        staged = self._directory / STAGED
        if not staged.is_dir():
            return
        for path in self._files(staged):
            if path.exists():
                path.replace(self._directory / path.name)
        sync_directory(self._directory)
        staged.rmdir()

    def _files(self, directory: Path) -> tuple[Path, Path, Path]:
        return directory / AUTHORITY, directory / f"{self._name}.pem", directory / f"{self._name}.key"

    def _times(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files(self._directory) if path.exists())

    def _renewed(self, connection: ssl.SSLObject, asked_for: str | None, context: ssl.SSLContext) -> None:
        del asked_for, context
        connection.context = self._newest(ssl.PROTOCOL_TLS_SERVER)

    def _newest(self, protocol: int) -> ssl.SSLContext:
        """By the files as they are; while they do not fit together (one of them was just replaced) as they were before."""
        times, held = self._times(), self._held.get(protocol)
        if held is not None and held[0] == times:
            return held[1]
        try:
            self._held[protocol] = (times, self._context(self._directory, protocol))
        except UsageError:
            if held is None:
                raise
            return held[1]
        return self._held[protocol][1]

    def _context(self, directory: Path, protocol: int) -> ssl.SSLContext:
        authority, certificate, key = self._files(directory)
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.options |= ssl.OP_NO_TICKET  # no session outlives its connection: nothing to steal
        if protocol == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(authority)
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"the keys in {directory} cannot be used: {error}; `flexcapsule keys issue` makes them"
            ) from None
        return context
