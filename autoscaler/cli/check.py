"""`flexcapsule check`: whether documents are right, before anything runs with them."""

from __future__ import annotations

import sys
from collections.abc import Sized
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.config import Cluster
    from autoscaler.core.policy import Policy


class Kind(StrEnum):
    AUTO = "auto"
    POLICY = "policy"
    CONFIG = "config"
    CLUSTER = "cluster"
    WORLD = "world"


WORLD_ONLY = {"start", "seed", "demand_step", "minimum_billing", "timing", "faults"}


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policies, configs, cluster or world files.")],
    kind: Annotated[
        Kind, typer.Option("--as", help="What they are; guessed from their keys unless given.")
    ] = Kind.AUTO,
    json: AsJson = False,
) -> None:
    """Check documents without running anything: one line each, exit code 2 when one of them is wrong.

    \b
    Examples:
      flexcapsule check mine.yaml
      flexcapsule check --as policy policies/*.yaml
    """
    from autoscaler.cli import show
    from autoscaler.errors import FlexCapsuleError

    found: list[dict[str, object]] = []
    for file in files:
        try:
            told, error = describe(file, kind), ""
        except FlexCapsuleError as refused:
            told, error = "", str(refused)
        found.append({"file": str(file), "ok": not error, "error": error, "is": told})
        if not json:
            print(error or f"{file}: ok: {told}", file=sys.stderr if error else sys.stdout)
    if json:
        show.print_json(found)
    if not all(each["ok"] for each in found):
        raise typer.Exit(2)


def describe(file: Path, kind: Kind) -> str:
    """What a valid document is, in a few words. Raises PolicyError or UsageError where it is not valid."""
    from autoscaler import config, policylang
    from autoscaler.cli.loading import load_policy

    match guessed(file) if kind is Kind.AUTO else kind:
        case Kind.POLICY:
            return policy_text(load_policy(file))
        case Kind.CLUSTER:
            observed = policylang.read_cluster(file)
            return f"cluster of {_size(observed.cloud_vms, 'cloud VM')}, {_size(observed.app_vms, 'app VM')}"
        case Kind.WORLD:
            world = config.read_world(file)
            return f"world of {_size(world.cloud_vms, 'cloud VM')}, {_size(world.services, 'service')}"
        case _:
            settings = config.read_config(file)
            policy = load_policy(Path(settings.policy))
            return f"config{_cluster_text(settings.cluster)}; {policy_text(policy)}"


def _cluster_text(cluster: Cluster) -> str:
    """What is special about it: nothing where it is a simulated one."""
    if cluster.live is None:
        return ""
    provider = cluster.live.provider
    hosts = provider.static if provider.libvirt is None else provider.libvirt.hosts
    where = f"lab {provider.lab.name}" if provider.lab is not None else _size(hosts, "host")
    return f" of a real cluster ({where}, {_size(cluster.live.services, 'service')})"


def policy_text(policy: Policy) -> str:
    from autoscaler.cli import show

    limits = policy.limits
    return (
        f"policy {policy.name}: {policy.strategy.name} every {show.duration(policy.every_s)}, {policy.mode}, "
        f"{_size(limits.budgets, 'budget')}, {_size(policy.conditions, 'condition')}"
    )


def _size(parts: Sized | None, noun: str) -> str:
    from autoscaler.cli import show

    return show.counted(len(parts or ()), noun)


def guessed(file: Path) -> Kind:
    """The kind of a document by its top keys; a config where nothing else fits, whose reader then says what is wrong."""
    from autoscaler.policylang.cluster import CLUSTER_BYTES, CLUSTER_NODES
    from autoscaler.policylang.tree import parse, plain, read_source

    document = plain(parse(read_source(file, CLUSTER_BYTES), CLUSTER_NODES))  # no document may be bigger
    keys = set(document) if isinstance(document, dict) else set()
    if "strategy" in keys:
        return Kind.POLICY
    if "catalogue" not in keys:
        return Kind.CONFIG
    return Kind.WORLD if keys & WORLD_ONLY or _simulates(document) else Kind.CLUSTER


def _simulates(document: dict[str, Any]) -> bool:
    parts = [part for key in ("services", "app_vms") for part in document.get(key) or () if isinstance(part, dict)]
    return any(part.keys() & {"demand", "replicas", "behaviour"} for part in parts)
