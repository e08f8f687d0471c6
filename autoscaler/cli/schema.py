"""`flexcapsule schema`: JSON Schemas of the documents, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Kind(StrEnum):
    POLICY = "policy"
    CONFIG = "config"
    CLUSTER = "cluster"
    WORLD = "world"


def schema(kind: Annotated[Kind, typer.Argument(help="The kind of document.")]) -> None:
    """Print the JSON Schema of a kind of document, made from the types that read it.

    \b
    Example, for an editor that speaks yaml-language-server:
      flexcapsule schema policy > policy.schema.json
    and as the first line of mine.yaml:
      # yaml-language-server: $schema=policy.schema.json
    """
    from autoscaler.cli import show

    show.print_json(schema_of(kind))


def schema_of(kind: Kind) -> dict[str, Any]:
    from autoscaler import config, policylang, registry

    if kind is Kind.CONFIG:
        return config.config_schema()
    if kind is Kind.WORLD:
        return config.world_schema()
    return policylang.schema("policy" if kind is Kind.POLICY else "cluster", registry.strategy_types())
