"""A policy file that may change while the controller runs: read again on request or when it changed, refused when invalid.

Looks at the file's stamp only; what a valid policy is, `load` knows. A refused file leaves the old policy in charge, and is
told once per version of the file (again on request).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoscaler.core.policy import Policy
from autoscaler.errors import FlexCapsuleError

Stamp = tuple[int, int, int] | None


class PolicyFile:
    """`load` reads and checks the file, `adopt` puts a policy in force; either may raise, then `refused` is told why.

    `policy` is the one in force, which was read from the file as it was at construction.
    """

    def __init__(
        self,
        path: Path,
        policy: Policy,
        load: Callable[[Path], Policy],
        adopt: Callable[[Policy], object],
        refused: Callable[[FlexCapsuleError], None],
    ) -> None:
        self._path, self._digest = path, policy.digest
        self._load, self._adopt, self._refused = load, adopt, refused
        self._stamp: Stamp = None
        self._asked = True  # it may have changed since it was read

    def ask(self) -> None:
        """Read it at the next look, changed or not (for SIGHUP; safe in a signal handler)."""
        self._asked = True

    def look(self) -> None:
        """Put a new policy in force, if there is one. A file with the same content changes nothing."""
        stamp = self._stamp_now()
        if stamp == self._stamp and not self._asked:
            return
        self._stamp, self._asked = stamp, False
        try:
            policy = self._load(self._path)
            if policy.digest != self._digest:
                self._adopt(policy)
        except FlexCapsuleError as error:
            self._refused(error)
        else:
            self._digest = policy.digest

    def _stamp_now(self) -> Stamp:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)
