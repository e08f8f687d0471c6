"""The tree of errors, split by what to do next. Below every other room: it imports nothing of ours.

FlexCapsuleError
├── PolicyError      fix the file: it says where, what was read, what was expected, and the nearest valid name
├── UsageError       fix the command line or what it points at
├── SourceError      retry: meanwhile the snapshot ages, and nothing acts on a stale one
├── ActuationError   temporary: try again later; permanent: make another plan
├── JournalError     the journal cannot be read or written; nothing is acted on without it
└── StuckError       call a person
"""

from __future__ import annotations

from dataclasses import dataclass


class FlexCapsuleError(Exception):
    """Everything FlexCapsule raises on purpose; the message states fact, subject, numbers, next action."""


@dataclass(frozen=True)
class Position:
    """Where in a document something stands; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class PolicyError(FlexCapsuleError):
    """A document (policy, config or cluster file) is wrong: fix the file. `str()` is one line, `file:line:column: ...`."""

    def __init__(self, position: Position, message: str) -> None:
        self.position, self.message = position, message
        super().__init__(f"{position}: {message}")


class UsageError(FlexCapsuleError):
    """The command line, or a file or service it names, is wrong: fix the call."""


class SourceError(FlexCapsuleError):
    """The cluster could not be observed: retry; the snapshot ages meanwhile."""


class ActuationError(FlexCapsuleError):
    """A step could not be carried out. `temporary`: the same step may succeed later."""

    def __init__(self, message: str, *, temporary: bool) -> None:
        self.temporary = temporary
        super().__init__(message)


class JournalError(FlexCapsuleError):
    """The journal cannot be read or written: nothing is acted on without it."""


class StuckError(FlexCapsuleError):
    """An undo failed, or an outcome contradicts what is observed: a person is needed."""
