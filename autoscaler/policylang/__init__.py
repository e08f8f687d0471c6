"""YAML text to typed documents (policy, cluster), or one error with file:line:column. No decisions, no I/O beyond reading the text."""

from __future__ import annotations

from pathlib import Path

from autoscaler.core.policy import Policy
from autoscaler.policylang.conditions import compile_condition
from autoscaler.policylang.forms import fill
from autoscaler.policylang.policy import policy_form, policy_of
from autoscaler.policylang.strategies import StrategyTypes
from autoscaler.policylang.tree import Source, parse, read_source

__all__ = ["compile_condition", "read_policy", "read_policy_text"]


def read_policy(path: Path | str, strategy_types: StrategyTypes) -> Policy:
    """The policy in a YAML file. Raises PolicyError: file:line:column, what was read, what was expected."""
    return _policy(read_source(path), strategy_types)


def read_policy_text(text: str, file_name: str, strategy_types: StrategyTypes) -> Policy:
    """The policy in `text`; `file_name` is what errors call it."""
    return _policy(Source(file_name, text), strategy_types)


def _policy(source: Source, strategy_types: StrategyTypes) -> Policy:
    return policy_of(fill(policy_form(strategy_types), source, parse(source)), source.digest)
