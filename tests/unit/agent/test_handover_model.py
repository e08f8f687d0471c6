"""Every interleaving of a handover with whatever can break, walked to the end: never two copies run, and in the end one does.

The model has two cloud VMs with an agent, a durable record and a half each, and the words under way between them. What either
side may do next is asked of handover_rules.py; what may break is: an agent is killed, a word is lost, a side gives up waiting,
a cloud VM dies and boots again with its disk or with an empty one. A fault of the rules shows as a story of steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.agent import handover_rules
from autoscaler.agent.handover_rules import Arriving, Deed, Half, Leaving, Verdict

MISHAPS_MOST = 3
STATES_LEAST = 5_000  # fewer would mean that the model lost its events


@dataclass(frozen=True, slots=True)
class World:
    """`here`, `there`: how far each side's transfer is, "" where none is under way; `wire`: the word under way, if any; `cut`: the connection is
    broken, which each side notices in its own time."""

    here: str = "begin"
    there: str = ""
    wire: str = ""
    cut: bool = False
    here_up: bool = True
    there_up: bool = True
    leaving: Leaving | None = None
    arriving: Arriving | None = None
    left: Half = Half.RUNNING
    arrived: Half = Half.ABSENT
    told: bool = False
    verdict: Verdict | None = None
    suspending: bool = False  # the guest was asked to, and has not yet
    boot: int = 0  # of the arriving side
    boot_then: int = 0
    ran_there: bool = False  # in this boot of the arriving side
    died_running: bool = False  # the arriving cloud VM died with a half that it had been told to run
    here_died: bool = False
    mishaps: int = 0
    earlier: str = ""  # a handover before this one, cancelled: whether its record still holds the half


Step = tuple[str, World]


def transfer_steps(world: World, rules: Any) -> Iterator[Step]:
    """What the two transfers do when nothing breaks, a durable note or one act at a time."""
    w = world
    match w.here, w.wire:
        case "begin", _:
            yield "leaving notes PREPARED", replace(w, here="prepared", leaving=Leaving.PREPARED)
        case "prepared", "":
            yield "leaving offers", replace(w, here="offered", wire="offer")
        case "offered", "berth":
            yield "leaving hears of the berth", replace(w, here="streaming", wire="", boot_then=w.boot)
        case "streaming", _ if w.left is Half.RUNNING and not w.suspending:
            yield "leaving asks the guest to suspend", replace(w, suspending=True)
        case "streaming", "" if w.left is Half.SUSPENDED:
            yield "leaving sends all", replace(w, here="sent", wire="end")
        case "sent", _:
            yield "leaving notes PERMITTED", replace(w, here="permitted", leaving=rules.permit(w.leaving))
        case "permitted", "" | "end":
            said = "end and permit" if w.wire else "" if w.cut else "permit"  # none overtakes what came before it
            yield "leaving permits", replace(w, here="said", wire=said)
        case "said", "accepted":
            yield "leaving notes DONE", replace(w, here="", wire="", leaving=Leaving.DONE)
    yield from _arriving_steps(w, rules)


def _arriving_steps(w: World, rules: Any) -> Iterator[Step]:
    if not w.there_up:
        return
    match w.there, w.wire:
        case "", "offer" if w.arriving is None and w.arrived is Half.ABSENT:
            yield "arriving notes ARRIVING", replace(w, there="noted", wire="", arriving=Arriving.ARRIVING)
        case "noted", "":
            yield "arriving makes a berth", replace(w, there="berth", arrived=Half.PAUSED)
        case "berth", "":
            yield "arriving says so", replace(w, there="filling", wire="berth")
        case "filling", "end" | "end and permit":
            yield "arriving is whole", replace(w, there="whole", wire="permit" if "permit" in w.wire else "")
        case "whole", "permit":
            heard = rules.hear_permission(w.arriving)
            yield "arriving notes the permission", replace(w, there="heard", wire="", arriving=heard)
        case "heard", _:
            yield "arriving starts", replace(w, there="started", arrived=Half.RUNNING, ran_there=True)
        case "started", "":
            yield "arriving says accepted", replace(w, there="accepted", wire="accepted")
        case "accepted", _:
            yield "arriving notes RUNNING", replace(w, there="", arriving=Arriving.RUNNING)


def settling_steps(w: World, rules: Any) -> Iterator[Step]:
    """What each side does by the rules where no transfer is under way."""
    if w.here_up and not w.here and w.leaving is not None:
        yield from _leaving_deed(w, rules)
    if w.here_up and w.earlier == "holds" and rules.leave(Leaving.CANCELLED, w.left, None, told=True) is Deed.RESUME:
        yield "the earlier handover's record: resume", replace(w, left=Half.RUNNING, suspending=False)
    if w.there_up and not w.there and w.arriving is not None:
        deed = rules.arrive(w.arriving, w.arrived)
        after = {
            Deed.NOTE_REVOKED: replace(w, arriving=Arriving.REVOKED),
            Deed.NOTE_RUNNING: replace(w, arriving=Arriving.RUNNING),
            Deed.START: replace(w, arrived=Half.RUNNING, ran_there=True),
            Deed.DESTROY: replace(w, arrived=Half.ABSENT),
        }
        if deed in after:
            yield f"arriving: {deed}", after[deed]


def again_steps(w: World, rules: Any) -> Iterator[Step]:
    """After a cancelled handover of which nothing is left under way, a second one."""
    over = w.leaving is Leaving.CANCELLED and w.told and w.left is Half.RUNNING and not (w.here or w.there or w.wire)
    if over and w.here_up and not w.earlier and w.arrived is Half.ABSENT and not w.suspending:
        earlier = "let go" if rules.release(w.leaving) else "holds"
        yield "a second handover begins", World(boot=w.boot, mishaps=w.mishaps, earlier=earlier, here_died=w.here_died)


def _leaving_deed(w: World, rules: Any) -> Iterator[Step]:
    deed = rules.leave(w.leaving, w.left, w.verdict, told=w.told)
    match deed:
        case Deed.ASK if w.there_up:
            state, said = rules.answer(w.arriving)
            asked = _noted_there(w, state)
            verdict = rules.verdict_of(said, boot_then=str(w.boot_then), boot_now=str(w.boot), fenced=False)
            if verdict is not None:
                yield f"leaving asks and hears {verdict}", replace(asked, verdict=verdict)
        case Deed.TELL if w.there_up:
            state = rules.told_over(w.arriving, done=w.leaving is Leaving.DONE) if w.boot == w.boot_then else w.arriving
            told = _noted_there(w, state) if state else w
            yield "leaving tells that it is over", replace(told, told=True)
        case Deed.NOTE_CANCELLED:
            yield "leaving notes CANCELLED", replace(w, leaving=Leaving.CANCELLED)
        case Deed.NOTE_DONE:
            yield "leaving notes DONE", replace(w, leaving=Leaving.DONE)
        case Deed.RESUME:
            yield "leaving resumes", replace(w, left=Half.RUNNING, suspending=False)
        case Deed.DESTROY:
            yield "leaving destroys", replace(w, left=Half.ABSENT)


def _noted_there(w: World, state: Arriving) -> World:
    """A transfer that is revoked while it is under way stops; one that was accepted goes on."""
    return w if state is w.arriving else replace(w, arriving=state, there="")


def nature_steps(w: World) -> Iterator[Step]:
    """What happens by itself, in any order: the guest suspends, agents are started again, a side sees that the other is gone."""
    if w.suspending and w.left is Half.RUNNING:
        yield "the guest suspends", replace(w, left=Half.SUSPENDED, suspending=False)
    if not w.here_up:
        yield "the leaving agent starts again", replace(w, here_up=True)
    if not w.there_up:
        yield "the arriving agent starts again", replace(w, there_up=True)
    if w.here and w.here not in ("begin", "prepared") and (w.cut or not w.there) and not w.wire:
        yield "leaving sees the connection broken", replace(w, here="")
    if w.there and (w.cut or not w.here) and not w.wire and w.there not in ("heard", "started", "accepted"):
        yield "arriving sees the connection broken", replace(w, there="")
    if w.wire and not w.here and not w.there:
        yield "what was under way finds nobody", replace(w, wire="")
    if w.wire in ("berth", "accepted") and not w.here:
        yield "what was said to the leaving side finds nobody", replace(w, wire="")
    if w.wire in ("end", "permit", "end and permit") and not w.there:
        yield "what was said to the arriving side finds nobody", replace(w, wire="")
    if w.wire == "offer" and (w.arriving is not None or w.arrived is not Half.ABSENT):
        yield "the offer is refused", replace(w, wire="")


def mishaps(world: World) -> Iterator[Step]:
    w = replace(world, mishaps=world.mishaps + 1)
    if w.here_up:
        yield "the leaving agent is killed", replace(w, here="", here_up=False, verdict=None)
    if w.there_up:
        yield "the arriving agent is killed", replace(w, there="", there_up=False)
    if w.wire:
        yield f"the connection breaks and {w.wire!r} is lost", replace(w, wire="", cut=True)
    if w.here and w.here != "begin":
        yield "leaving gives up waiting", replace(w, here="")
    if w.there:
        yield "arriving gives up waiting", replace(w, there="")
    dead = replace(
        w, there="", there_up=False, arrived=Half.ABSENT, boot=w.boot + 1, ran_there=False,
        died_running=w.died_running or w.arrived is Half.RUNNING,
    )  # fmt: skip
    yield "the arriving cloud VM dies and keeps its disk", dead
    yield "the arriving cloud VM dies with its disk", replace(dead, arriving=None)
    if not w.here_died:
        yield (
            "the leaving cloud VM dies and keeps its disk",
            replace(w, here="", here_up=False, left=Half.ABSENT, verdict=None, suspending=False, here_died=True),
        )


def steps(world: World, rules: Any) -> list[Step]:
    return [
        *transfer_steps(world, rules),
        *settling_steps(world, rules),
        *nature_steps(world),
        *again_steps(world, rules),
    ]


def running(w: World) -> int:
    return (w.left is Half.RUNNING) + (w.arrived is Half.RUNNING)


def fault(w: World) -> str:
    if running(w) > 1:
        return "two copies run"
    if w.left is Half.RUNNING and w.ran_there:
        return "the leaving copy runs on after the arriving one has run"
    return ""


def explore(rules: Any) -> tuple[dict[World, tuple[World, str] | None], str]:
    """All worlds that can be reached, and the first fault with its story, if any."""
    reached: dict[World, tuple[World, str] | None] = {World(): None}
    waiting = deque(reached)
    while waiting:
        world = waiting.popleft()
        following = steps(world, rules)
        if world.mishaps < MISHAPS_MOST:
            following += mishaps(world)
        for name, after in following:
            if after not in reached:
                reached[after] = (world, name)
                if fault(after):
                    return reached, f"{fault(after)}: {story(reached, after)}"
                waiting.append(after)
    return reached, ""


def story(reached: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    told = []
    while (before := reached[world]) is not None:
        world, name = before
        told.append(name)
    return told[::-1]


def ends(world: World, rules: Any, known: dict[World, frozenset[World]]) -> frozenset[World]:
    """Where a world comes to rest when nothing more breaks. Raises RecursionError where it never does."""
    path: list[World] = [world]
    while path:
        current = path[-1]
        following = [after for _, after in steps(current, rules)]
        if any(after in path[:-1] or after == current for after in following):
            raise RecursionError(f"it goes round: {current}")
        missing = [after for after in following if after not in known]
        if missing:
            path.append(missing[0])
            continue
        known[current] = (
            frozenset().union(*(known[after] for after in following)) if following else frozenset([current])
        )
        path.pop()
    return known[world]


@pytest.fixture(scope="module")
def reached():
    found, wrong = explore(handover_rules)
    assert not wrong, wrong
    return found


def test_never_do_two_copies_run_nor_does_one_that_was_handed_over_run_on(reached) -> None:
    assert len(reached) > STATES_LEAST
    assert any(w.arrived is Half.RUNNING for w in reached)
    assert any(w.leaving is Leaving.CANCELLED and w.left is Half.RUNNING for w in reached)


def test_when_nothing_more_breaks_every_story_ends_with_exactly_one_copy(reached) -> None:
    known: dict[World, frozenset[World]] = {}
    for world in reached:
        for end in ends(world, handover_rules, known):
            lost = end.here_died or (end.died_running and end.leaving is Leaving.DONE)
            assert running(end) == 1 or (lost and running(end) == 0), (end, story(reached, world))


def test_nothing_is_left_behind_and_both_sides_know(reached) -> None:
    known: dict[World, frozenset[World]] = {}
    for world in reached:
        for end in ends(world, handover_rules, known):
            assert not end.here
            assert not end.there
            assert end.told or end.leaving is None
            assert end.arrived in (Half.ABSENT, Half.RUNNING)
            assert end.left in (Half.ABSENT, Half.RUNNING)
            assert (end.leaving is Leaving.DONE) is (end.left is Half.ABSENT and not end.here_died) or end.here_died


def wrong(**replaced: Any) -> SimpleNamespace:
    names = ("leave", "arrive", "permit", "hear_permission", "answer", "told_over", "verdict_of", "release")
    return SimpleNamespace(**{name: getattr(handover_rules, name) for name in names} | replaced)


def impatient(state: Leaving, half: Half, verdict: Verdict | None, *, told: bool) -> Deed:
    """Takes the app VM back without asking, as xl does when the last word is lost and somebody resumes by hand."""
    if state is Leaving.PERMITTED and verdict is None:
        return Deed.NOTE_CANCELLED
    return handover_rules.leave(state, half, verdict, told=told)


def forgetful(state: Arriving | None) -> tuple[Arriving | None, Verdict | None]:
    """Says "revoked" without noting it."""
    noted, verdict = handover_rules.answer(state)
    return (state if state is Arriving.ARRIVING else noted), verdict


def eager(state: Arriving, half: Half) -> Deed:
    """Starts what is whole, permitted or not, because the other side fell silent."""
    return Deed.START if state is Arriving.ARRIVING and half is Half.PAUSED else handover_rules.arrive(state, half)


def hasty(state: Arriving | None) -> tuple[Arriving, Verdict | None]:
    """Says "accepted" before it runs: should its cloud VM die in between, there is no copy left."""
    return (state, Verdict.ACCEPTED) if state is Arriving.PERMITTED else handover_rules.answer(state)


def test_accepting_before_it_runs_would_lose_it() -> None:
    rules, known = wrong(answer=hasty), {}
    worlds, _ = explore(rules)
    finals = {end for world in worlds for end in ends(world, rules, known)}
    assert any(running(end) == 0 and not end.died_running and not end.here_died for end in finals)


@pytest.mark.parametrize(
    "rules",
    [wrong(leave=impatient), wrong(answer=forgetful), wrong(arrive=eager), wrong(release=lambda _: False)],
    ids=[
        "takes back without asking",
        "revokes without noting",
        "starts without permission",
        "keeps hold after it is over",
    ],
)
def test_wrong_rules_are_found_out(rules) -> None:
    _, story_of_fault = explore(rules)
    assert "run" in story_of_fault
