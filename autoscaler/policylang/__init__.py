"""YAML text to typed documents (policy, cluster), or one error with file:line:column. No decisions, no I/O beyond reading the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from autoscaler.core.events import Observed
from autoscaler.core.policy import Policy
from autoscaler.policylang.cluster import CLUSTER_BYTES, CLUSTER_NODES, ClusterForm, misfits, observation, overfull
from autoscaler.policylang.conditions import compile_condition
from autoscaler.policylang.forms import fill
from autoscaler.policylang.policy import policy_form, policy_of
from autoscaler.policylang.references import refuse_misfits
from autoscaler.policylang.schema import document_schema
from autoscaler.policylang.strategies import StrategyTypes
from autoscaler.policylang.tree import Source, parse, read_source

__all__ = ["compile_condition", "read_cluster", "read_policy", "read_policy_text", "schema"]


def read_policy(path: Path | str, strategy_types: StrategyTypes) -> Policy:
    """The policy in a YAML file. Raises PolicyError: file:line:column, what was read, what was expected."""
    return _policy(read_source(path), strategy_types)


def read_policy_text(text: str, file_name: str, strategy_types: StrategyTypes) -> Policy:
    """The policy in `text`; `file_name` is what errors call it."""
    return _policy(Source(file_name, text), strategy_types)


def read_cluster(path: Path | str) -> Observed:
    """The cluster in a YAML file, as the complete observation that a source would make of it. Raises PolicyError."""
    source = read_source(path, CLUSTER_BYTES)
    root = parse(source, CLUSTER_NODES)
    form = fill(ClusterForm, source, root)
    refuse_misfits(misfits(form), source, root)
    observed = observation(form)
    refuse_misfits(overfull(observed), source, root)
    return observed


def schema(kind: Literal["policy", "cluster"], strategy_types: StrategyTypes) -> dict[str, Any]:
    """JSON Schema of policies or cluster files (configs and worlds: see autoscaler.config)."""
    return document_schema(policy_form(strategy_types) if kind == "policy" else ClusterForm, kind)


def _policy(source: Source, strategy_types: StrategyTypes) -> Policy:
    return policy_of(fill(policy_form(strategy_types), source, parse(source)), source.digest)
