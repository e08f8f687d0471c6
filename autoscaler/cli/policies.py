"""`flexcapsule policies`: the policies that come ready made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import AsJson


def policies(
    copy: Annotated[
        str | None, typer.Option("--copy", metavar="NAME", help="Print this one, to be redirected into a file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List the ready policies with what each is for and when not to use it, or print one to start from.

    \b
    Examples:
      flexcapsule policies
      flexcapsule policies --copy balanced > mine.yaml
    """
    from autoscaler import config
    from autoscaler.cli import show

    if copy is not None:
        print(config.ready_policy(copy).read_text("utf-8"), end="")
        return
    listed = {name: purpose(path) for name, path in config.ready_policies().items()}
    if json:
        show.print_json([{"name": name, "for": good, "not": bad} for name, (good, bad) in listed.items()])
        return
    show.print_table(("policy", "for", "not for"), ((name, good, bad) for name, (good, bad) in listed.items()))


def purpose(path: Path) -> tuple[str, str]:
    """What the header comment says it is for, and when not to use it."""
    parts: dict[str, list[str]] = {"For": [], "Not": []}
    current: list[str] | None = None
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        word, colon, rest = text.partition(":")
        if colon and word in parts:
            current, text = parts[word], rest.strip()
        if current is not None and text:
            current.append(text)
    return " ".join(parts["For"]), " ".join(parts["Not"])
