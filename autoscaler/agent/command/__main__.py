"""`flexcapsule` on a management VM: `python3 -m autoscaler.agent.command app ps`, through the local agent's unix socket."""

from __future__ import annotations

import os
import socket
import sys

from autoscaler.agent.command.conversation import SOCKET, local
from autoscaler.agent.command.fleet import Fleet
from autoscaler.agent.command.main import main
from autoscaler.errors import FlexCapsuleError, UsageError

USAGE, INTERRUPTED = 2, 130


def here() -> Fleet:
    if not SOCKET.exists():
        raise UsageError(f"no agent is running here ({SOCKET} is missing)")
    name = socket.gethostname()
    return Fleet((local(name),), name, warn=lambda text: print(f"flexcapsule: {text}", file=sys.stderr))


def ended(arguments: list[str]) -> int:
    """Mistakes end in one line, as everywhere."""
    if arguments[:1] != ["app"]:
        print("usage: flexcapsule app COMMAND ...; all other commands are the controller's", file=sys.stderr)
        return USAGE
    try:
        return main(arguments[1:], here)
    except FlexCapsuleError as error:
        print(f"flexcapsule: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(ended(sys.argv[1:]))
