"""Words that stand in certificates and in file names."""

from __future__ import annotations

import re

AUTHORITY, CONTROLLER = "authority", "controller"
CONTROLLER_URI, AGENT_URI = "flexcapsule://controller", "flexcapsule://agent/"
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")  # what may be a host's name, hence a file's too
