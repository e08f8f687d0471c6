"""`flexcapsule pause` and `resume`: an operator's word to the running controller."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from autoscaler.cli.options import AsJson, ConfigFile, TokenFile, Url

Subject = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="App VM, service or cloud VM; none = the whole cluster.")
]
Why = Annotated[str, typer.Option("--why", help="Shown by status and explain.")]


def pause(
    subject: Subject = "",
    why: Why = "",
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: AsJson = False,
) -> None:
    """Leave a subject alone until `resume`. Steps that have begun are finished; no new one begins.

    \b
    Examples:
      flexcapsule pause --why "release 4.2"
      flexcapsule pause web --why "load test"
    """
    _say("pause", subject, why, config, url, token_file, json)


def resume(
    subject: Subject = "",
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: AsJson = False,
) -> None:
    """Manage a subject again after `pause`, or after a person has repaired what was stuck.

    \b
    Example:
      flexcapsule resume web
    """
    _say("resume", subject, "", config, url, token_file, json)


def _say(word: str, subject: str, why: str, config: ConfigFile, url: Url, token_file: TokenFile, json: bool) -> None:
    from autoscaler.cli import remote, show

    body = {"subject": subject, "why": why, "who": _who()}
    answer = remote.controller(config, url, token_file).post(f"/api/v1/{word}", body)
    if json:
        show.print_json(answer)
        return
    holds = "" if answer["taken"] else ", from the next tick on"
    print(f"{word}d {subject or 'the whole cluster'}{holds}")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "command line"
