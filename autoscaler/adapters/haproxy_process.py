"""An HAProxy of our own: its configuration for a set of services, its start, and its end.

Separate from haproxy.py because one may exist already, which then is only kept. It is started apart from the controller and
stays when that ends: requests go on while a controller restarts, and the next one finds it by its socket.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from autoscaler.errors import ActuationError, UsageError

SOCKET, CONFIGURATION, PID_FILE = "haproxy.sock", "haproxy.cfg", "haproxy.pid"
GRACE_S = 5.0
POLL_S = 0.05
SOCKET_LONGEST = 100  # bytes: the kernel allows 107, and HAProxy binds beside it first

# A request whose connection could not be made, or that got no answer at all, is tried again elsewhere. An app VM that moves
# pauses for well under a second and keeps its connections, so that nothing here needs to know of it.
SETTINGS = """\
global
    stats socket {socket} mode 600 level admin
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 30s
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    option http-keep-alive
"""
SERVICE = """\
frontend {service}
    bind {address}
    default_backend {service}
backend {service}
    balance leastconn
"""


def configuration(directory: Path, frontends: Mapping[str, str]) -> str:
    """HAProxy's configuration: a frontend and an empty backend per service, which the runtime API fills."""
    parts = [SERVICE.format(service=name, address=address) for name, address in sorted(frontends.items())]
    return SETTINGS.format(socket=directory / SOCKET) + "".join(parts)


def ensure(directory: Path, frontends: Mapping[str, str]) -> Path:
    """The command socket of the HAProxy that serves `frontends` (service -> "address:port") from `directory`.

    One that runs already is taken over as it is, if its configuration is this one. Raises UsageError, ActuationError.
    """
    path, text = directory / SOCKET, configuration(directory, frontends)
    if len(str(path)) > SOCKET_LONGEST:
        raise UsageError(f"{path} is too long for a unix socket; name a directory with a shorter path")
    if answers(path):
        if (directory / CONFIGURATION).read_text() != text:
            raise UsageError(
                f"the HAProxy of {directory} serves other addresses; end it (process {pid(directory)}) first"
            )
        return path
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    (directory / CONFIGURATION).write_text(text)
    _start(directory)
    return path


def _start(directory: Path) -> None:
    argv = ["haproxy", "-D", "-f", str(directory / CONFIGURATION), "-p", str(directory / PID_FILE)]
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=GRACE_S)  # noqa: S603  argv is ours
    except FileNotFoundError:
        raise UsageError("haproxy is not installed; `deploy/setup/packages.sh live` installs it") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise ActuationError(f"HAProxy did not start: {said}", temporary=False)


def answers(path: Path) -> bool:
    """Whether an HAProxy listens for commands at `path`."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(str(path))
        return True
    return False


def pid(directory: Path) -> int | None:
    """The process that was started from `directory`, if it is still that one."""
    try:
        number = int((directory / PID_FILE).read_text())
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return number if str(directory / CONFIGURATION).encode() in words else None


def end(directory: Path) -> None:
    """End the HAProxy that was started from `directory`, and wait until it is gone. Nothing where there is none."""
    number = pid(directory)
    if number is None:
        return
    deadline = time.monotonic() + GRACE_S
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGTERM)
    while pid(directory) is not None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    with suppress(ProcessLookupError):
        if pid(directory) is not None:
            os.kill(number, signal.SIGKILL)
