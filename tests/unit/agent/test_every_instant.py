"""The agent dies before and after each thing that outlives it, in each kind of step; the next agent makes the step's end true.

Every cut is tried: as many as an undisturbed run does things. What must hold afterwards: the step is done, the app VM is
there once or not at all as the step says, it was let go once per start, and no half of anything is left.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest
from rehearsed import MIB, Fuse, World, rehearse

from autoscaler.agent.descriptions import AppVMSpec, StepRequest

UUID = "6f2d1c1e-0000-4000-8000-000000000001"
IMAGE = b"an image"
SPEC = AppVMSpec(UUID, "web", sha256(IMAGE).hexdigest(), 16 * MIB)
START = StepRequest("start", spec=SPEC)

# kind under test -> (what is done before it, state afterwards, whether it is on the hypervisor)
STORIES = {
    "start": ([], "running", True),
    "stop": (["start"], "stopped", False),
    "kill": (["start"], "stopped", False),
    "pause": (["start"], "paused", True),
    "resume": (["start", "pause"], "running", True),
    "save": (["start"], "saved", False),
    "restore": (["start", "save"], "running", True),
    "remove": (["start", "kill"], None, False),
}


def request(kind):
    return START if kind == "start" else StepRequest(kind, UUID)


def world_in(directory):
    world = World(directory)
    (directory / "images").mkdir(parents=True)
    (directory / "images" / SPEC.image).write_bytes(IMAGE)
    return world


async def lived(directory, kind, cut):
    """(how many things were done, the second agent)"""
    world = world_in(directory)
    before, _, _ = STORIES[kind]
    first = rehearse(world)
    await first.wake()
    for n, earlier in enumerate(before):
        assert (await first.done(f"before:{n}", request(earlier))).outcome == "done"
    fuse = Fuse(cut)
    second = rehearse(world, fuse)
    await second.wake()
    try:
        second.agent.steps.submit("the:step", request(kind))
        await second.rested()
    except BaseException:
        if not fuse.burnt:
            raise
    done = fuse.done
    third = rehearse(world)
    await third.wake()
    await third.rested()
    if all(
        report.id != "the:step" for report in third.agent.steps.all()
    ):  # died before it was kept: the caller asks again
        await third.done("the:step", request(kind))
    await third.keeper.look(sample=True)
    return done, third


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", sorted(STORIES))
def test_whatever_instant_it_dies_at_the_next_agent_ends_the_step(tmp_path, kind):
    whole, _ = asyncio.run(lived(tmp_path / "whole", kind, None))
    assert whole >= 4
    _, state, there = STORIES[kind]
    for cut in range(whole):
        _, agent = asyncio.run(lived(tmp_path / str(cut), kind, cut))
        where = f"{kind} cut at {cut}"
        assert agent.agent.steps.report("the:step").outcome == "done", where
        reports = {report.spec.uuid: report.state for report in agent.keeper.reports()}
        assert reports.get(UUID) == state, where
        assert (UUID in agent.world.guests) is there, where
        assert agent.world.started == 1, where
        assert not (agent.agent.bench.saved(UUID).exists() and state != "saved"), where
        if there:
            assert agent.world.guests[UUID].paused is (state == "paused"), where
