"""A config file to settings: paths made relative to the file, the policy's name to its file, the world's name to a world."""

from __future__ import annotations

from dataclasses import Field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Discriminator, Tag

from autoscaler.config.live import BalancerSettings, HAProxySettings, Live, misfits
from autoscaler.config.ready import resolve_policy
from autoscaler.config.settings import Cluster, Config, Http, JournalSettings, Log, PolicyName, Simulated
from autoscaler.config.world import WORLDS, check_world, read_world, world_form
from autoscaler.config.world_terms import BOUNDS, DOCS
from autoscaler.policylang.forms import Text, fill, locate
from autoscaler.policylang.records import Record, Recorder, or_none
from autoscaler.policylang.references import refuse_misfits
from autoscaler.policylang.schema import document_schema
from autoscaler.policylang.tree import parse, read_source
from autoscaler.sim.scenario import Scenario

NESTED = (Cluster, Simulated, Live, BalancerSettings, HAProxySettings, JournalSettings, Http, Log)
S = TypeVar("S", Config, Cluster, Simulated, Live, BalancerSettings, HAProxySettings, JournalSettings, Http, Log)


def read_config(path: Path | str | None = None) -> Config:
    """The settings in a file; without one, the defaults, with paths relative to the working directory.

    Raises PolicyError (the file is wrong, and where).
    """
    if path is None:
        return _resolved(Config(), Path())
    source = read_source(path)
    root = parse(source)
    config: Config = fill(config_form(), source, root).value()
    world = config.cluster.simulated.world
    if isinstance(world, Scenario):
        check_world(world, source, locate(root, ("cluster", "simulated", "world"))[0])
    if config.cluster.live is not None:
        refuse_misfits(misfits(config.cluster.live), source, locate(root, ("cluster", "live"))[0])
    return _resolved(config, Path(path).parent)


def world_of(config: Config) -> Scenario:
    """The simulated cluster's world that the config names or describes. Raises PolicyError."""
    world = config.cluster.simulated.world
    return world if isinstance(world, Scenario) else read_world(world)


@cache
def config_form() -> type[Record]:
    """The form of a config file, made from the settings."""
    form: Any = world_form()
    kind = Discriminator(lambda value: "here" if isinstance(value, dict | Record) else "named")
    world: Any = Annotated[Annotated[Text, Tag("named")] | Annotated[form, Tag("here")], kind]
    return Recorder(
        bounds=BOUNDS,
        docs=DOCS,
        annotations={
            "world": world,
            "policy": PolicyName,
            "shadow_policy": Annotated[PolicyName | None, BeforeValidator(or_none)],
        },
    ).form(Config)


def config_schema() -> dict[str, Any]:
    """JSON Schema of a config file."""
    return document_schema(config_form(), "config")


def _resolved(value: S, base: Path) -> S:
    """The same settings with every file relative to `base` made a path, and policies' names made files."""
    changes: dict[str, Any] = {}
    for part in fields(value):
        told = getattr(value, part.name)
        if type(told) in NESTED:
            changes[part.name] = _resolved(told, base)
        elif isinstance(told, str) and part.name in ("policy", "shadow_policy"):
            changes[part.name] = str(resolve_policy(told, base))
        elif isinstance(told, str) and _is_path(part, told):
            changes[part.name] = str(base / Path(told).expanduser())
    return replace(value, **changes)


def _is_path(part: Field[Any], told: str) -> bool:
    return bool(part.metadata.get("path") and told) or (part.name == "world" and told not in WORLDS)
