"""FlexCapsule's public names: what a strategy author may import. Nothing else is public.

Looked up when they are used, so that `import autoscaler` (which every room does) costs nothing and no room imports another
by way of this page. docs/strategies.md shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoscaler.core.model import Action, AppVM, CloudVM, CloudVMSize, CloudVMState, Service
    from autoscaler.core.proposals import (
        Consolidate,
        Move,
        Proposal,
        ScaleDown,
        ScaleIn,
        ScaleOut,
        ScaleUp,
        Separate,
    )
    from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, NOWHERE, Inventory, Snapshot
    from autoscaler.ports import Strategy

__all__ = [
    "CPU",
    "DIRTY",
    "MEMORY",
    "NOWHERE",
    "Action",
    "AppVM",
    "CloudVM",
    "CloudVMSize",
    "CloudVMState",
    "Consolidate",
    "Inventory",
    "Move",
    "Proposal",
    "ScaleDown",
    "ScaleIn",
    "ScaleOut",
    "ScaleUp",
    "Separate",
    "Service",
    "Snapshot",
    "Strategy",
]

ROOMS = ("autoscaler.core.model", "autoscaler.core.proposals", "autoscaler.core.snapshot", "autoscaler.ports")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in ROOMS:
            found = import_module(room)
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"autoscaler has no public name {name!r}; they are: {', '.join(__all__)}")
