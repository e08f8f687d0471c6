"""Every setting of the controller, with its default; the ready policies; and the simulated worlds that a config may name.

Separate because it is the only room that knows both documents (policylang) and the simulated cluster (sim). It reads files and
builds values; it opens nothing and starts nothing.
"""

from __future__ import annotations

from autoscaler.config.live import Live
from autoscaler.config.reading import config_schema, read_config, world_of
from autoscaler.config.ready import ready_policies, ready_policy, resolve_policy
from autoscaler.config.settings import Cluster, Config, Http, JournalSettings, Log, Simulated, parse_pace
from autoscaler.config.world import read_world, world_schema

__all__ = [
    "Cluster",
    "Config",
    "Http",
    "JournalSettings",
    "Live",
    "Log",
    "Simulated",
    "config_schema",
    "parse_pace",
    "read_config",
    "read_world",
    "ready_policies",
    "ready_policy",
    "resolve_policy",
    "world_of",
    "world_schema",
]
