"""A real controller process, really killed (SIGKILL) at random instants, with the world that it keeps itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import restless

from autoscaler.adapters.decisions import JournalReader
from autoscaler.adapters.journal import SqliteJournal
from autoscaler.cli.assembly import JOURNAL_FILE, WORLD, assemble
from autoscaler.core.engine import Engine
from autoscaler.core.events import StepEnded
from autoscaler.sim.world import World
from autoscaler.verification import verify

TICKS = 400
UNTIL = restless.scenario().start_at + (TICKS - 1) * restless.EVERY_S
KILLS = 6
EVENTS, JITTER_S = (5, 60), 0.004  # a kill comes after so many events and up to about two ticks more
PROGRAM = Path(__file__).with_name("controller_process.py")


def start(directory: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(directory), str(UNTIL)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    line = process.stdout.readline()
    if line != b"ready\n":
        pytest.fail(process.communicate(timeout=60)[1].decode())
    return process


def kept_world(directory: Path) -> World:
    journal = SqliteJournal(directory / JOURNAL_FILE)
    try:
        return World.restore(restless.scenario(), journal.kept(WORLD))
    finally:
        journal.close()


def shape(world: World) -> list:
    """Replicas of a service count by number only: an outcome told twice shifts the numbers in the names of new ones."""
    apps = zip(world.estate.apps.identities, world.placement.tolist(), strict=True)
    hosted: dict[int, list[str]] = {}
    for app_vm, row in apps:
        hosted.setdefault(row, []).append(app_vm.service or app_vm.id)
    clouds = enumerate(world.estate.clouds.identities)
    return sorted((c.size.name, c.state.value, sorted(hosted.get(row, []))) for row, c in clouds)


@pytest.fixture(scope="module")
def uncrashed() -> World:
    with assemble(Engine(restless.toolbox()), restless.policy(), restless.scenario(), ticks=TICKS) as controller:
        controller.run()
        return controller.cluster.world


def test_killed_again_and_again_it_ends_where_it_would_have_ended(tmp_path, uncrashed):
    luck = np.random.default_rng(20261124)
    killed = 0
    for _ in range(KILLS):
        process = start(tmp_path)
        for _ in range(int(luck.integers(*EVENTS))):
            process.stdout.readline()
        time.sleep(luck.uniform(0.0, JITTER_S))
        process.send_signal(signal.SIGKILL)
        killed += process.wait(timeout=60) == -signal.SIGKILL
        process.communicate()
        assert verify(tmp_path / JOURNAL_FILE, restless.toolbox()).same
    process = start(tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()

    assert killed >= KILLS / 2, "it was mostly killed while it ran"
    world = kept_world(tmp_path)
    assert world.now == UNTIL
    assert shape(world) == shape(uncrashed)
    assert world.estate.accepted == uncrashed.estate.accepted, "a step was begun twice, or not at all"
    assert world.estate.tally.app_vm_starts == uncrashed.estate.tally.app_vm_starts
    assert world.estate.tally.cost == pytest.approx(uncrashed.estate.tally.cost)
    verification = verify(tmp_path / JOURNAL_FILE, restless.toolbox())
    assert verification.same
    assert not verification.unfinished
    assert verification.checkpoints >= 1
    outcomes = [
        entry.text for entry in JournalReader(tmp_path / JOURNAL_FILE).written() if entry.kind == StepEnded.__name__
    ]
    assert len(outcomes) >= world.estate.accepted
