"""The settings as values. Defaults and their documentation stand here once: form, JSON Schema and the example are held to them.

Inside: seconds, and paths that are absolute or relative to the working directory (reading.py resolves what a file says).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from autoscaler.config.live import Live
from autoscaler.config.ready import known_policy
from autoscaler.errors import UsageError
from autoscaler.policylang.forms import Text, wrong
from autoscaler.policylang.tree import brief
from autoscaler.sim.scenario import Scenario

REAL, FULL = "real", "max"
FASTEST = 1e6  # virtual seconds per real second; beyond it, `max` is what is meant
PACE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?x")


def parse_pace(value: Any) -> float:
    """Virtual seconds per real second: `real` is 1, `120x` is 120, `max` (no waiting at all) is infinite. Raises UsageError."""
    if value in (REAL, FULL):
        return 1.0 if value == REAL else math.inf
    match = PACE.fullmatch(value) if isinstance(value, str) and len(value) < 20 else None
    if match is None or not 0 < float(match.group(1)) <= FASTEST:
        raise UsageError(
            f"{brief(value)} is not a pace; expected {REAL}, {FULL}, or a factor such as 120x (at most {FASTEST:.0f}x)"
        )
    return float(match.group(1))


def _pace(value: Any) -> float:
    try:
        return parse_pace(value)
    except UsageError as error:
        raise wrong(str(error)) from None


def _file(value: str) -> Path:
    return Path(value).expanduser()


def _told(default: Any, doc: str, **more: Any) -> Any:
    return field(default=default, metadata={"doc": doc, **more})


Pace = Annotated[
    float, BeforeValidator(_pace), WithJsonSchema({"type": "string", "pattern": "^(real|max|[0-9.]+ ?x)$"})
]
File = Annotated[Text, BeforeValidator(lambda value: str(_file(value)) if isinstance(value, str) else value)]
PolicyName = Annotated[Text, BeforeValidator(known_policy)]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A cluster that exists in memory."""

    world: str | Scenario = field(
        default="example", metadata={"doc": "`example`, a world file, or a world written here"}
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is controlled: the real cluster where one is described, else a simulated one."""

    simulated: Simulated = field(default=Simulated(), metadata={"doc": "a cluster in memory, the default"})
    live: Live | None = field(
        default=None, metadata={"doc": "a real cluster (docs/live.md); it takes the other's place"}
    )


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The write-ahead log, with the simulated world: what a restart goes on from, what `explain` and `verify` read."""

    directory: str = _told("var/journal", "where it is kept; one controller per journal", path=True)
    keep_s: float = _told(30 * 86400.0, "how long entries before the newest checkpoint are kept", ge=3600.0)
    size_bytes: float = _told(2.0 * 2**30, "beyond this size the oldest entries go before their time", ge=2**20)


@dataclass(frozen=True, slots=True)
class Http:
    """Metrics, health, status page and API."""

    host: str = _told("127.0.0.1", "address to listen on; anything else than loopback is reachable by others")
    port: int = _told(8642, "port; 0 picks a free one", ge=0, le=65535)
    token_file: str = _told("var/token", "file with the bearer token for changes; made when it is missing", path=True)


@dataclass(frozen=True, slots=True)
class Log:
    """What the controller says on standard error."""

    format: Literal["auto", "human", "json"] = _told(
        "auto", "`human` for people, `json` for machines, `auto` by terminal"
    )
    level: Literal["debug", "info", "warning", "error"] = _told("info", "least severity that is written")


@dataclass(frozen=True, slots=True)
class Config:
    """The controller's settings. After reading, `policy` and `shadow_policy` are files."""

    policy: str = _told("balanced", "a ready policy by name, or a policy file")
    shadow_policy: str | None = _told(None, "a second policy that decides beside the first and acts on nothing")
    tick_s: float = _told(60.0, "time between two looks at the cluster, in the cluster's time", ge=0.1, le=86400.0)
    pace: float = _told(
        288.0, "simulated clusters only: `real`, `max` (no waiting), or a factor such as 288x", form=Pace, shown="288x"
    )
    cluster: Cluster = field(default=Cluster(), metadata={"doc": "what is controlled"})
    journal: JournalSettings = field(default=JournalSettings(), metadata={"doc": "the write-ahead log"})
    http: Http = field(default=Http(), metadata={"doc": "metrics, health, status page and API"})
    log: Log = field(default=Log(), metadata={"doc": "what is said on standard error"})
