"""`flexcapsule verify`: re-execute a journal and compare every command."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import AsJson


def verify(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal's directory or file.")],
    json: AsJson = False,
) -> None:
    """Re-execute a journal: the same events must cause the same commands, byte for byte. Exit code 1 where they do not.

    \b
    Example:
      flexcapsule verify var/journal
    """
    from autoscaler import verification
    from autoscaler.cli import show
    from autoscaler.cli.assembly import journal_file
    from autoscaler.cli.loading import TOOLBOX

    found = verification.verify(journal_file(journal), TOOLBOX)
    if json:
        show.print_json({"same": found.same, **asdict(found)})
    elif found.difference is None:
        print(f"the same: {found.events} events caused the {found.commands} commands that were written")
        if found.unfinished:
            print("the last event's commands were not written (a crash); the next start writes them")
    else:
        part = found.difference
        print(
            f"DIFFERENT at entry {part.entry}, caused by event {part.event}\n  written:  {part.written}\n  executed: {part.executed}"
        )
    if not found.same:
        raise typer.Exit(1)
