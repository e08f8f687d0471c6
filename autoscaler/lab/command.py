"""Run one program of the machine and say clearly what went wrong: the only place of the lab that starts processes.

Separate so that every failure reads the same (program, what it said) and nothing runs through a shell.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from autoscaler.errors import ActuationError, UsageError

PATIENCE_S = 60.0


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    patience_s: float = PATIENCE_S,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run `argv` to its end. Raises ActuationError with what it said when it fails or takes longer than `patience_s`."""
    try:
        done = subprocess.run(list(argv), cwd=cwd, input=stdin, capture_output=True, timeout=patience_s, check=False)
    except FileNotFoundError:
        raise UsageError(
            f"{argv[0]} is not installed; `deploy/setup/packages.sh lab` installs what a lab needs"
        ) from None
    except subprocess.TimeoutExpired:
        raise ActuationError(
            f"`{' '.join(argv[:4])} ...` did not end within {patience_s:g} s", temporary=True
        ) from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ActuationError(
            f"`{' '.join(argv)}` failed ({done.returncode}): {said or 'it said nothing'}", temporary=False
        )
    return done


def output(argv: Sequence[str], *, patience_s: float = PATIENCE_S) -> str:
    return run(argv, patience_s=patience_s).stdout.decode()


def require(*programs: str) -> None:
    """Raise UsageError naming every program that is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise UsageError(
            f"not installed: {', '.join(missing)}; `deploy/setup/packages.sh lab` installs what a lab needs"
        )
