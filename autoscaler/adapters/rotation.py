"""Hand a cluster's new keys out, agent by agent, so that at no instant two of them cannot talk.

Separate from keys/, which knows files only. Three rounds, each over all agents, each begun when the one before was taken by all:
trust both authorities; take a certificate of the new one; trust the new one only. What round it is follows from the files, so
that the same command goes on with a rotation that was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from autoscaler import keys
from autoscaler.agent.command.conversation import PORT, remote
from autoscaler.errors import FlexCapsuleError, UsageError

PATH = "/v1/keys"
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Trustee:
    """An agent that is to have new keys."""

    name: str
    address: str
    port: int = PORT


def rotate(directory: Path, agents: Sequence[Trustee], say: Callable[[str], None]) -> None:
    """Replace authority and certificates. Raises UsageError naming those that did not take theirs: run it again."""
    _check_known(directory, agents)
    keys.begin_rotation(directory)
    _round(directory, agents, trust_only=True)
    say(f"the new authority is trusted too by {_counted(agents)}")
    for held in keys.every(directory):  # also those of agents that are gone: nothing of the old authority may stay
        if not held.current:
            keys.renew(directory, held.name)
    _round(directory, agents, trust_only=False)
    say(f"new certificates are in use by the controller and {_counted(agents)}")
    keys.end_rotation(directory)
    _round(directory, agents, trust_only=True)


def _check_known(directory: Path, agents: Sequence[Trustee]) -> None:
    """Every agent on record is among `agents`: one that is left out would be locked out at the end."""
    given = {agent.name for agent in agents}
    issued = {held.name for held in keys.every(directory)} - {keys.CONTROLLER}
    if left_out := sorted(issued - given):
        raise UsageError(
            f"{', '.join(left_out)} would be locked out: name every agent, or delete the files of those that are gone from {directory}"
        )
    if unknown := sorted(given - issued):
        raise UsageError(f"{directory} has no certificate of {', '.join(unknown)}; `flexcapsule keys issue` makes one")


def _round(directory: Path, agents: Sequence[Trustee], *, trust_only: bool) -> None:
    context = keys.context(directory)
    failed = []
    for agent in agents:
        share = asdict(keys.share(directory, agent.name, trust_only=trust_only))
        try:
            remote(agent.name, agent.address, "", context, agent.port).ask("PUT", PATH, share, patience_s=PATIENCE_S)
        except FlexCapsuleError as error:
            failed.append(str(error))
    if failed:
        raise UsageError(
            f"not rotated yet: {'; '.join(failed)}. All others go on, and everybody can still talk; run the same command again"
        )


def _counted(agents: Sequence[Trustee]) -> str:
    return f"{len(agents)} agent{'' if len(agents) == 1 else 's'}"
