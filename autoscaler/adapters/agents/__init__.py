"""The real cluster behind the loop's ports: observations from the agents on all cloud VMs, steps to the right one of them.

`client` speaks HTTP, `sightings` makes of reports who runs where and uses how much, `look` asks everybody, `recipes` says what a new app VM is,
`errands` are the kinds of step, `cluster` is Source and Actuator. No decision is made here, and placement is never inferred.
"""

from __future__ import annotations

from autoscaler.adapters.agents.client import Agents
from autoscaler.adapters.agents.cluster import LiveCluster, Wiring
from autoscaler.adapters.agents.recipes import AddressPool, Images, Recipe

__all__ = ["AddressPool", "Agents", "Images", "LiveCluster", "Recipe", "Wiring"]
