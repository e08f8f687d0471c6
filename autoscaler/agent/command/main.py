"""From words to what is done, and the exit code. Separate so that both places of the command share it whole."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from autoscaler.agent.command import acts, show, start, words
from autoscaler.agent.command.fleet import Fleet, act

VERBS: dict[str, Callable[[Fleet, Namespace], int | None]] = {
    "ps": show.listed,
    "top": show.top,
    "inspect": show.inspected,
    "logs": acts.logs,
    "attach": acts.attach,
    "wait": acts.wait,
    "rm": acts.remove,
    "migrate": acts.migrate,
    **dict.fromkeys(("stop", "kill", "pause", "resume", "save", "restore"), acts.simple),
}


def main(arguments: list[str], fleet: Callable[[], Fleet], *, program: str = "flexcapsule app") -> int:
    """Do what `arguments` say. `fleet` is made after they were found right. Raises what goes wrong; argparse may exit with 2."""
    ours, theirs = words.split(arguments)
    asked = words.parser(program).parse_args(ours)
    asked.arguments = theirs
    if theirs and asked.verb != "run":
        words.parser(program).error(f"{asked.verb} takes nothing behind --")
    if asked.verb == "run":
        return _run(fleet(), asked)
    return VERBS[asked.verb](fleet(), asked) or 0


def _run(fleet: Fleet, asked: Namespace) -> int:
    found = start.started(fleet, asked)
    if asked.detach:
        print(found.report.spec.uuid)
        return 0
    try:
        acts.follow(fleet, found)
        ended = acts.end_of(fleet, found)
    except KeyboardInterrupt:  # as with docker: a run that is watched ends with its watcher
        act(found.agent, {"kind": "stop", "uuid": found.report.spec.uuid, "patience_s": 10.0})
        ended = acts.end_of(fleet, found)
    if asked.rm and (now := fleet.again(found.report.spec.uuid)) is not None:
        acts.forget(now)
    return acts.status(ended)
