"""Any order of steps on a few app VMs, of guests ending by themselves and agents dying: what the agent says is what there is.

Invariants: every step ends; no guest is made twice or beyond memory (the world asserts that); a report of running or paused
has its guest and no other has one; a name belongs to one app VM at a time.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsed import MIB, Rehearsal, World, rehearse

from autoscaler.agent.descriptions import AppVMSpec, StepRequest
from autoscaler.agent.hypervisor import Halt

IMAGE = b"an image"
UUIDS = [f"6f2d1c1e-0000-4000-8000-00000000000{n}" for n in range(3)]
KINDS = ("start", "stop", "kill", "remove", "pause", "resume", "save", "restore")
EVENTS = st.tuples(
    st.sampled_from((*KINDS, *["start"] * 6, "ends", "dies", "twice")), st.integers(0, 2), st.integers(0, 3)
)


def spec(n: int, memory: int) -> AppVMSpec:
    """The third shares its name with the first; with `memory` 3 two do not fit side by side."""
    return AppVMSpec(
        UUIDS[n], f"app-{n % 2}", sha256(IMAGE).hexdigest(), (16 + 48 * memory) * MIB, remove_when_ended=n == 1
    )


async def play(directory: Path, events: list[tuple[str, int, int]]) -> None:
    world = World(directory)
    (directory / "images").mkdir()
    (directory / "images" / sha256(IMAGE).hexdigest()).write_bytes(IMAGE)
    agent = rehearse(world)
    await agent.wake()
    for n, (what, which, memory) in enumerate(events):
        if what == "dies":
            await agent.agent.steps.rest()
            agent = rehearse(world)
            await agent.wake()
        elif what == "ends":
            if UUIDS[which] in world.guests and not world.guests[UUIDS[which]].paused:
                world.ends(UUIDS[which], Halt.CRASH)
        else:
            kinds = ("pause", "kill") if what == "twice" else (what,)
            for kind in kinds:
                wanted = (
                    StepRequest(kind, spec=spec(which, memory)) if kind == "start" else StepRequest(kind, UUIDS[which])
                )
                agent.agent.steps.submit(f"{kind}:{n}", wanted)
            if memory:  # else the next event comes while it is under way
                await agent.rested()
    await agent.rested()
    for _ in range(3):
        await agent.keeper.look(sample=True)
    check(agent)


def check(agent: Rehearsal) -> None:
    assert all(report.outcome != "running" for report in agent.agent.steps.all())
    assert not [line for line in agent.lines if "Traceback" in line], agent.lines
    there = {r.spec.uuid: r.state for r in agent.keeper.reports() if r.state in ("running", "paused")}
    assert there.keys() == agent.world.guests.keys()
    for uuid, state in there.items():
        assert agent.world.guests[uuid].paused is (state == "paused")
    alive = [r.spec.name for r in agent.keeper.reports() if r.state != "stopped"]
    assert len(alive) == len(set(alive))
    for report in agent.keeper.reports():
        assert (report.ended is not None) is (report.state == "stopped")


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.lists(EVENTS, max_size=14))
def test_what_the_agent_says_is_what_there_is(events: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as directory:
        asyncio.run(play(Path(directory), events))
