"""Who may ask what, by what the caller's certificate says. Pure, and one page: the whole of the agent's authority.

A controller may all. An agent may fetch images, and hand over (which has a port and a protocol of its own): whoever steals
one cloud VM's keys cannot command another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CALLER = "flexcapsule.caller"  # in the ASGI scope
CONTROLLER = "flexcapsule://controller"
AGENT = "flexcapsule://agent/"
FOR_AGENTS = ("GET", "HEAD")
IMAGES = "/v1/images/"


def caller_of(certificate: Mapping[str, Any] | None) -> str:
    """The role that a verified certificate gives (`ssl.SSLObject.getpeercert()`): its URI of ours, if it has exactly one."""
    names = (certificate or {}).get("subjectAltName", ())
    ours = [text for kind, text in names if kind == "URI" and (text == CONTROLLER or text.startswith(AGENT))]
    return ours[0] if len(ours) == 1 else ""


def may(caller: str, method: str, path: str) -> bool:
    if caller == CONTROLLER:
        return True
    return caller.startswith(AGENT) and method in FOR_AGENTS and path.startswith(IMAGES)
