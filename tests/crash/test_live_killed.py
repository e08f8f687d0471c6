"""The controller of a real cluster, killed with SIGKILL in the middle of its steps, again and again: nothing is done twice, nothing
is lost, and it comes to where it wanted to be. Agents are fakes behind mutual TLS; the process, its journal and the kill are real."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_agents import Fleet
from live_place import live_place

from autoscaler.adapters.decisions import JournalReader
from autoscaler.cli.assembly import JOURNAL_FILE
from autoscaler.cli.loading import TOOLBOX
from autoscaler.verification import verify

RUN = "from autoscaler.cli.main import main; main()"
PATIENCE_S = 60.0
KILLS, REPLICAS = 3, 5


class Controller:
    """One `flexcapsule run` in `place`; `log` is what this one has said."""

    def __init__(self, place: Path) -> None:
        self._log = place / "log"
        with self._log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, "run", "--config", "live.yaml"],
                cwd=place,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def count(self, event: str) -> int:
        return self._log.read_text().count(f'"event": "{event}"')

    def until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.02)

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(timeout=PATIENCE_S)


def running(fleet: Fleet) -> Counter[str]:
    """App VM -> on how many agents it runs."""
    return Counter(
        app_vm.spec.name
        for agent in fleet.agents.values()
        for app_vm in agent.app_vms.values()
        if app_vm.state == "running"
    )


def settled(fleet: Fleet) -> bool:
    busy = [agent for agent in fleet.agents.values() if any(a.state == "running" for a in agent.app_vms.values())]
    unended = [
        report
        for agent in fleet.agents.values()
        for _, _, report in agent.steps.values()
        if report.outcome == "running"
    ]
    return sum(running(fleet).values()) == REPLICAS and len(busy) == 1 and not unended


def is_at_work(controller: Controller, fleet: Fleet, steps: int) -> bool:
    """Whether it has begun so many steps, or has nothing left to do."""
    return settled(fleet) or controller.count("step begins") >= steps


@pytest.fixture
def controllers() -> Iterator[list[Controller]]:
    """Whatever a test leaves running is ended."""
    made: list[Controller] = []
    yield made
    for controller in made:
        if controller.process.poll() is None:
            controller.process.kill()
            controller.process.wait()


def test_killed_in_the_middle_of_steps_it_goes_on_and_does_nothing_twice(tmp_path, controllers):
    luck = np.random.default_rng(20261125)
    with live_place(tmp_path, replicas=REPLICAS, step_s=0.2) as fleet:
        for kill in range(KILLS):
            controllers.append(Controller(tmp_path))
            controllers[-1].until(partial(is_at_work, controllers[-1], fleet, kill % 2 + 1))
            time.sleep(luck.uniform(0.0, 0.3))
            assert controllers[-1].end(signal.SIGKILL) == -signal.SIGKILL
            assert max(running(fleet).values(), default=0) <= 1, "an app VM runs twice"
        controllers.append(Controller(tmp_path))
        controllers[-1].until(lambda: settled(fleet))
        controllers[-1].until(lambda: controllers[-1].count("decided"))
        assert controllers[-1].end(signal.SIGTERM) == 0

        assert set(running(fleet).values()) == {1}
        begun = [step for agent in fleet.agents.values() for step in agent.submitted]
        assert len(begun) == len(set(begun)), "a step was submitted to two agents, or begun twice"
        addresses = [a.spec.address for agent in fleet.agents.values() for a in agent.app_vms.values()]
        assert len(addresses) == len(set(addresses)) == REPLICAS
    journal = tmp_path / "var" / "journal" / JOURNAL_FILE
    assert verify(journal, TOOLBOX).same
    assert len([entry for entry in JournalReader(journal).written() if entry.kind == "Execute"]) >= REPLICAS + 2
