"""Who may speak to whom: one authority per cluster, a certificate for the controller and one per agent, in one directory.

Always made on the spot, never shipped. Below the adapters and the lab, because both need it and they do not know each other;
it knows files and certificates, no network: handing new ones out is adapters/rotation.py's work.
"""

from __future__ import annotations

from autoscaler.keys.directory import (
    Held,
    Share,
    begin_rotation,
    context,
    end_rotation,
    every,
    forget,
    init,
    issue,
    read,
    renew,
    share,
    trusted,
)
from autoscaler.keys.names import AGENT_URI, AUTHORITY, CONTROLLER, CONTROLLER_URI

__all__ = [
    "AGENT_URI",
    "AUTHORITY",
    "CONTROLLER",
    "CONTROLLER_URI",
    "Held",
    "Share",
    "begin_rotation",
    "context",
    "end_rotation",
    "every",
    "forget",
    "init",
    "issue",
    "read",
    "renew",
    "share",
    "trusted",
]
