"""The journal's file: opening it, making sure that it is ours, whole and not in use, and saying plainly what is wrong.

Separate from journal.py because that one knows what is written and this one where: the only module that knows SQLite, and
the only place where its errors become JournalError. No entry, no event, no JSON may be here.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from autoscaler.errors import JournalError

APPLICATION_ID = 0x464C4350  # "FLCP" in the file's header: how `file` and we know a journal from any other database
FORMAT = 1  # of the tables below; a file with a higher one is refused
WAL_LIMIT_BYTES = 64 << 20  # the write-ahead log is cut to this after a slow reader let it grow
BUSY_S = 5.0  # how long to wait for a reader that holds the file for a moment

SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, at REAL NOT NULL, id TEXT NOT NULL, decision TEXT,
    body NOT NULL
);
CREATE INDEX entries_by_decision ON entries (decision) WHERE decision IS NOT NULL;
CREATE TABLE mentions (subject TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (subject, number)) WITHOUT ROWID;
CREATE TABLE checkpoints (
    entry INTEGER PRIMARY KEY, number INTEGER NOT NULL, at REAL NOT NULL, engine TEXT NOT NULL, body NOT NULL
);
CREATE TABLE writers (entry INTEGER PRIMARY KEY, engine TEXT NOT NULL);
CREATE TABLE kept (name TEXT PRIMARY KEY, body NOT NULL);
PRAGMA user_version = {FORMAT};
"""


class Database:
    """One connection. Used by one thread at a time; which one is the caller's affair."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: IO[str] | None = None) -> None:
        self.path, self._connection, self._lock = path, connection, lock
        self._file: tuple[int, int] | None = None

    def stay(self) -> None:
        """From now on a transaction is refused where the file is no longer the one that was opened: what is written to a
        deleted file is lost with the process, and another controller could lock a new one in its place."""
        self._file = _identity(self.path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, durable when it ends."""
        if self._file is not None and _identity(self.path) != self._file:
            raise JournalError(
                f"the journal {self.path} was moved, deleted or replaced while it was in use; put it back if you can, and start again"
            )
        with self.clear_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.rollback()
                raise
            self._connection.commit()

    def run(self, sql: str, *values: Any) -> int:
        """Returns the row number of what was inserted, if anything was."""
        with self.clear_errors():
            return self._connection.execute(sql, values).lastrowid or 0

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        with self.clear_errors():
            yield from self._connection.execute(sql, values)

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        with self.clear_errors():
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return row

    def close(self) -> None:
        self._connection.close()
        if self._lock is not None:
            self._lock.close()  # and so unlocks it

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """SQLite's errors as one line that names the file and the way out."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(_explained(self.path, error)) from error


def open_for_writing(path: Path, *, survive_power_loss: bool = True) -> Database:
    """The only writer of `path`, made where it is missing. Raises JournalError where it is in use, foreign or damaged.

    With `survive_power_loss` a transaction is on the disk when it returns (synchronous=FULL). Without, it is with the
    operating system: killing the process loses nothing, a power cut the last moments, never the order.
    """
    lock = _locked(path)
    try:
        database = Database(path, _connected(path, f"file:{_quoted(path)}?mode=rwc"), lock)
        with database.clear_errors():
            _prepare(database, "FULL" if survive_power_loss else "NORMAL")
        database.stay()
    except BaseException:
        lock.close()
        raise
    return database


def open_for_reading(path: Path) -> Database:
    """Any number of readers, also of another process's journal while it is written."""
    if not path.is_file():
        raise JournalError(f"there is no journal {path}; `flexcapsule run --journal` makes one")
    # SQLite reads a WAL database only where it may make its shared files or finds them; one that was closed needs none.
    closed = not Path(f"{path}-wal").exists()
    mode = "immutable=1" if closed and not os.access(path.parent, os.W_OK) else "mode=ro"
    database = Database(path, _connected(path, f"file:{_quoted(path)}?{mode}"))
    with database.clear_errors():
        _check_ours(database)
    return database


def check_whole(database: Database) -> None:
    """Read every page: minutes for a big file, so only where somebody asks for it."""
    row = database.one("PRAGMA quick_check(1)")
    if row != ("ok",):
        raise JournalError(f"the journal {database.path} is damaged ({row and row[0]}); restore a copy of it")


def _identity(path: Path) -> tuple[int, int]:
    """Device and inode: which file stands under the name; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _connected(path: Path, uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise JournalError(_explained(path, error)) from error


def _locked(path: Path) -> IO[str]:
    """A lock that dies with its process, however that dies; the file beside the journal tells who has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise JournalError(f"the journal {path} is a directory; name a file in it")
        lock = Path(f"{path}.lock").open("a+", encoding="ascii")  # noqa: SIM115  held until the journal is closed
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be opened: {error.strerror}; name another place") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise JournalError(
            f"the journal {path} is in use by the controller with process id {holder}; stop it, or name another journal"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _prepare(database: Database, synchronous: str) -> None:
    tables = _tables(database)
    if not tables:
        _create(database)
    _check_ours(database)
    database.one("PRAGMA journal_mode = WAL")
    database.run(f"PRAGMA synchronous = {synchronous}")
    database.run(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    database.one("PRAGMA wal_checkpoint(TRUNCATE)")
    pages, page_bytes = _number(database, "page_count"), _number(database, "page_size")
    if database.path.stat().st_size < pages * page_bytes:
        raise JournalError(f"the journal {database.path} is cut short; restore a copy, or move it away to start anew")


def _create(database: Database) -> None:
    for statement in SCHEMA.split(";"):
        database.run(statement)


def _tables(database: Database) -> set[str]:
    return {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _number(database: Database, pragma: str) -> int:
    row = database.one(f"PRAGMA {pragma}")
    return int(row[0]) if row else 0


def _check_ours(database: Database) -> None:
    path, version = database.path, _number(database, "user_version")
    if _number(database, "application_id") != APPLICATION_ID:
        raise JournalError(f"{path} is a database of another program, not a journal; name another file")
    if version > FORMAT:
        raise JournalError(
            f"the journal {path} was written by a newer FlexCapsule (format {version}, this one reads {FORMAT}); "
            "use that one, or another journal"
        )
    missing = {"entries", "mentions", "checkpoints", "writers", "kept"} - _tables(database)
    if missing or version < FORMAT:
        raise JournalError(f"the journal {path} was never finished; move it away to start anew")


def _explained(path: Path, error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return f"the journal {path} cannot be written: the disk is full; nothing is acted on until there is room"
        case sqlite3.SQLITE_NOTADB:
            return f"{path} is not a journal ({error}); name another file, or move it away to start anew"
        case sqlite3.SQLITE_CORRUPT:
            return f"the journal {path} is damaged ({error}); restore a copy, or move it away to start anew"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"the journal {path} cannot be opened ({error}); check who may write it and its directory"
        case _:
            return f"the journal {path} failed: {error}; nothing is acted on without it"
