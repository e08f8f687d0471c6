"""`flexcapsule app ...` on the controller's machine: which agents there are, and how they are reached.

Wiring only; the command itself is autoscaler/agent/command, the same that a management VM has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ssl import SSLContext

    from autoscaler.agent.command.conversation import Agent
    from autoscaler.agent.command.fleet import Fleet
    from autoscaler.lab.record import Record

APP_VMS = range(250, 100, -1)  # of a lab's front network; from the far end, as the controller begins at the near one


def app(
    words: Annotated[list[str], typer.Argument(metavar="COMMAND", help="And its own options and arguments.")],
    lab: Annotated[
        str | None, typer.Option("--lab", metavar="NAME", envvar="FLEXCAPSULE_LAB", help="The agents of a lab.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="DIR", help="The controller's keys, for --agent.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", metavar="NAME=ADDRESS[,BACK]", help="An agent, and where other agents reach it."),
    ] = None,
) -> None:
    """Run app VMs by hand, as one runs processes, and see where each one is.

    \b
    COMMAND is run, ps, logs, attach, wait, stop, kill, rm, pause, resume, top,
    inspect, save, restore or migrate; `flexcapsule app COMMAND --help` says more.
    Without options it is for the only lab of this machine.
    \b
    Examples:
      flexcapsule app run -d -n web -p 80 libos/build/httpd.elf
      flexcapsule app ps -a
      flexcapsule app --lab demo logs -f web
      flexcapsule app migrate web cv2
    """
    from autoscaler.agent.command.main import main

    raise typer.Exit(main(list(words), lambda: _fleet(lab, keys, agent or [])))


def _fleet(lab: str | None, keys: Path | None, agents: list[str]) -> Fleet:
    from autoscaler import keys as held
    from autoscaler.agent.command.fleet import Fleet
    from autoscaler.errors import UsageError
    from autoscaler.lab import record
    from autoscaler.lab.layout import HOST

    if agents:
        if keys is None or lab is not None:
            raise UsageError("--agent needs --keys DIR, and goes without --lab")
        return Fleet(_agents(named(agents), held.context(keys)), "this cluster", warn=_warn)
    if keys is not None:
        raise UsageError("--keys goes with --agent; a lab has its own keys")
    made = record.existing(lab or _only_lab())
    free = tuple(f"{made.layout.front(number)}/24" for number in APP_VMS)
    agents_there = _agents(of_lab(made), held.context(made.layout.keys))
    return Fleet(agents_there, f"lab {made.name}", free, made.layout.front(HOST), _warn)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent is: for the controller, and for other agents."""

    name: str
    front: str
    back: str


def of_lab(made: Record) -> list[Place]:
    from autoscaler.lab.layout import ordinal

    layout, names = made.layout, [shape.name for shape in made.cloud_vms if shape.ready]
    return [Place(name, layout.front(ordinal(name)), layout.back(ordinal(name))) for name in names]


def named(words: list[str]) -> list[Place]:
    """From `NAME=ADDRESS[,BACK]`. Raises UsageError."""
    from autoscaler.errors import UsageError

    places = []
    for word in words:
        name, _, addresses = word.partition("=")
        front, _, back = addresses.partition(",")
        if not name or not front:
            raise UsageError(f"{word}: write NAME=ADDRESS or NAME=ADDRESS,BACK, for instance cv1=10.0.0.5,10.1.0.5")
        places.append(Place(name, front, back or front))
    return places


def _agents(places: list[Place], context: SSLContext) -> tuple[Agent, ...]:
    from autoscaler.agent.command.conversation import remote

    return tuple(remote(place.name, place.front, place.back, context) for place in places)


def _only_lab() -> str:
    from autoscaler.errors import UsageError
    from autoscaler.lab import record

    labs = record.names()
    if len(labs) != 1:
        there = f"there are {', '.join(labs)}" if labs else "there is none; `flexcapsule lab up` makes one"
        raise UsageError(f"which lab? {there}; name one with --lab, or agents with --agent and --keys")
    return labs[0]


@cache
def _warn(text: str) -> None:
    """Once per command, however often it is met."""
    typer.echo(f"flexcapsule: {text}", err=True)
