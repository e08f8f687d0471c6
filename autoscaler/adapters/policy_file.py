"""A policy file that may change while the controller runs: read again on request or when it changed, refused when invalid.

A `Source` beside the cluster's: a new policy is an event like any other. What a valid policy is, `load` knows; this module
only looks at the file's stamp. A refused file leaves the old policy in charge, and is told once per version of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from autoscaler.core.events import Event, PolicyChanged
from autoscaler.core.policy import Policy
from autoscaler.errors import FlexCapsuleError

Stamp = tuple[int, int, int] | None


class PolicyFile:
    """`load` reads and checks the file; `adopted` and `refused` are told what came of a change.

    `digest`: of the policy that is in force; a file with the same content changes nothing.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Policy],
        *,
        adopted: Callable[[Policy], None] = lambda _policy: None,
        refused: Callable[[FlexCapsuleError], None] = lambda _error: None,
    ) -> None:
        self.path, self.digest = path, ""
        self._load, self._adopted, self._refused = load, adopted, refused
        self._stamp: Stamp = None
        self._asked = True

    def ask(self) -> None:
        """Read it at the next turn, changed or not (for SIGHUP; safe in a signal handler)."""
        self._asked = True

    def read(self, now: float) -> Iterable[Event]:
        """The new policy, if there is one."""
        stamp = self._stamp_now()
        if stamp == self._stamp and not self._asked:
            return ()
        self._stamp, self._asked = stamp, False
        try:
            policy = self._load(self.path)
        except FlexCapsuleError as error:
            self._refused(error)
            return ()
        if policy.digest == self.digest:
            return ()
        self.digest = policy.digest
        self._adopted(policy)
        return (PolicyChanged(now, policy),)

    def _stamp_now(self) -> Stamp:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)
