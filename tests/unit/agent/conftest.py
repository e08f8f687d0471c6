"""An agent in memory behind its own API, spoken to as the controller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_caller import Caller, Client
from anyio.from_thread import start_blocking_portal
from rehearsed import World, rehearse

from autoscaler.agent.roles import CONTROLLER
from autoscaler.agent.serving import known_as


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Caller]:
    rehearsal = rehearse(World(tmp_path))
    with start_blocking_portal() as portal:
        portal.call(rehearsal.wake)
        yield Caller(rehearsal, Client(portal, known_as(CONTROLLER, rehearsal.agent.api.application())))
        portal.call(rehearsal.agent.steps.rest)
