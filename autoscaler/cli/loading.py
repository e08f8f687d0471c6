"""What every command that decides needs of other rooms: the engine's toolbox, and a policy that the engine can adopt.

Separate from assembly.py (which opens journals and starts loops) because reading and checking must open nothing.
"""

from __future__ import annotations

from pathlib import Path

from autoscaler import policylang, registry
from autoscaler.core.engine import Toolbox
from autoscaler.core.policy import Policy
from autoscaler.forecast.trend import expected_usage

TOOLBOX = Toolbox(registry.build, policylang.compile_condition, expected_usage)


def load_policy(path: Path) -> Policy:
    """The policy in a file, down to a strategy that could be built and conditions that could be compiled.

    Raises PolicyError or UsageError; what it returns, an engine adopts without an error.
    """
    policy = policylang.read_policy(path, registry.strategy_types())
    TOOLBOX.build_strategy(policy.strategy)
    for rule in policy.conditions:
        TOOLBOX.compile_condition(rule.when)
    return policy
