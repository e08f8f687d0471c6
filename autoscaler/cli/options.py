"""Options that several commands share, so that one thing has one name everywhere. Declarations only."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogForm(StrEnum):
    """What log lines look like."""

    JSON = "json"
    HUMAN = "human"
    AUTO = "auto"


LogFormat = Annotated[
    LogForm | None,
    typer.Option("--log-format", help="auto: human on a terminal, json elsewhere; the config's unless given."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings; without it the defaults of config.example.yaml."),
]
PolicyName = Annotated[
    str | None,
    typer.Option("--policy", "-p", metavar="NAME|FILE", help="A ready policy or a file; the config's unless given."),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", envvar="FLEXCAPSULE_URL", help="A running controller; the config's http.* unless given."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="Bearer token; the config's http.token_file unless given."),
]
JournalPlace = Annotated[
    Path | None,
    typer.Option("--journal", metavar="DIR", help="Where the journal is; the config's journal.directory unless given."),
]
