"""The loop's contract: what is written when, what it does when a port fails, and what it takes up after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import restless

from autoscaler.adapters.clock import VirtualClock
from autoscaler.adapters.inbox import Inbox
from autoscaler.adapters.memory import MemoryJournal
from autoscaler.core.engine import Engine
from autoscaler.core.events import Execute, Observed, OperatorSaid, Outcome, PolicyChanged, Record, StepEnded, Word
from autoscaler.core.saga import Status
from autoscaler.core.steps import Cordon
from autoscaler.errors import ActuationError, JournalError, SourceError
from autoscaler.runtime import TICKS_PER_CHECKPOINT, Loop, Ports, fold, in_doubt, is_event
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import MONDAY
from autoscaler.sim.world import World


@dataclass
class Rig:
    """A loop over the restless cluster whose ports tell `story` what is asked of them, and may be told to fail."""

    story: list[str] = field(default_factory=list)
    refuse: dict[str, ActuationError] = field(default_factory=dict)
    silent_at: tuple[float, ...] = ()
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    full_at: str = ""

    def __post_init__(self):
        self.cluster = SimulatedCluster(World(restless.scenario()))
        self.engine, self.inbox = Engine(restless.toolbox()), Inbox()
        self.errors: list[str] = []
        self.loop = self.make_loop()

    def make_loop(self, ticks=None) -> Loop:
        clock = VirtualClock(lambda: self.cluster.world.now, 60.0, ticks=ticks)
        return Loop(
            self.engine,
            Ports(clock, (self.inbox, self), self, self),
            (self.watch,),
            lambda now, error: self.errors.append(f"{now - MONDAY:.0f} {error}"),
            timer=iter(range(10**6)).__next__,
        )

    def watch(self, now, event, commands):
        self.story.append(f"seen {event.id} {len(commands)}")

    def event(self, event):
        if event.id == self.full_at:
            raise JournalError("the disk is full")
        self.story.append(f"event {event.id} {type(event).__name__}")
        self.journal.event(event)

    def commands(self, commands):
        self.story.append("commands " + " ".join(command.id for command in commands))
        self.journal.commands(commands)

    def checkpoint(self):
        return self.journal.checkpoint()

    def keep(self, checkpoint):
        self.story.append(f"keep {checkpoint.number}")
        self.journal.keep(checkpoint)

    def entries(self):
        return self.journal.entries()

    def submit(self, command, now):
        self.story.append(f"submit {command.step.id}")
        if command.step.id in self.refuse:
            raise self.refuse[command.step.id]
        self.cluster.submit(command, now)

    def ended(self, now):
        return self.cluster.ended(now)

    def read(self, now):
        if now - MONDAY in self.silent_at:
            raise SourceError("nobody answers")
        return self.cluster.read(now)

    def tick(self, times=1):
        for _ in range(times):
            self.loop.tick(self.now)
            self.now += 60.0

    now = MONDAY


def test_an_event_is_written_before_its_commands_and_these_before_any_is_acted_on():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    assert rig.story == [
        "event e1 PolicyChanged",
        "seen e1 0",
        "event e2 Observed",
        "commands e2.0 e2.1",
        "submit p2.s1",
        "seen e2 2",
    ]


def test_nothing_is_acted_on_once_the_journal_fails():
    rig = Rig(full_at="e2")
    rig.inbox.adopt(restless.policy())
    with pytest.raises(JournalError):
        rig.tick()
    assert not [line for line in rig.story if line.startswith("submit")]
    assert rig.loop.pulse.number == 1


def test_outcomes_come_before_words_and_words_before_the_observation():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    rig.story.clear()
    rig.inbox.say(Word.PAUSE)
    rig.tick()
    kinds = [line.split()[2] for line in rig.story if line.startswith("event")]
    assert kinds == ["StepEnded", "OperatorSaid", "Observed"]


def test_a_pause_holds_what_the_same_tick_would_have_begun():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.inbox.say(Word.PAUSE, why="lunch")
    rig.tick(5)
    assert not [line for line in rig.story if line.startswith("submit")]
    rig.inbox.say(Word.RESUME)
    rig.tick(2)
    assert [line for line in rig.story if line.startswith("submit")]


def test_a_silent_source_is_told_and_the_next_tick_goes_on():
    rig = Rig(silent_at=(60.0,))
    rig.inbox.adopt(restless.policy())
    rig.tick(3)
    assert rig.errors == ["60 nobody answers"]
    assert rig.engine.state.totals.decisions == 2
    assert rig.loop.pulse.ticks == 3


def test_a_submission_turned_down_for_now_is_made_again():
    rig = Rig(refuse={"p2.s1": ActuationError("busy", temporary=True)})
    rig.inbox.adopt(restless.policy())
    rig.tick(2)
    assert rig.story.count("submit p2.s1") == 2
    rig.refuse.clear()
    rig.tick(2)
    assert rig.story.count("submit p2.s1") == 3
    assert rig.loop.pulse.refusals == 2
    assert rig.engine.state.totals.steps["start_app_vm done"] >= 1


def test_a_submission_that_is_not_waited_for_any_more_is_not_made_again():
    rig = Rig(refuse={"p2.s1": ActuationError("busy", temporary=True)})
    rig.inbox.adopt(restless.policy())
    rig.tick()
    rig.engine.state.sagas = ()
    rig.tick(2)
    assert rig.story.count("submit p2.s1") == 1


def test_a_submission_turned_down_for_good_has_failed():
    rig = Rig(refuse={"p2.s1": ActuationError("no such place", temporary=False)})
    rig.inbox.adopt(restless.policy())
    rig.tick(2)
    assert rig.story.count("submit p2.s1") == 1
    assert rig.engine.state.totals.steps["start_app_vm failed"] == 1
    failed = next(entry for entry in rig.journal.entries() if isinstance(entry, StepEnded))
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, "no such place")


def test_checkpoints_are_kept_on_the_way_and_at_the_end():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.loop = rig.make_loop(ticks=TICKS_PER_CHECKPOINT + 2)
    rig.loop.run()
    assert len([line for line in rig.story if line.startswith("keep")]) == 2
    assert rig.story[-1] == f"keep {rig.loop.pulse.number}"


def test_a_run_without_a_tick_keeps_nothing():
    rig = Rig()
    rig.loop = rig.make_loop(ticks=0)
    rig.loop.run()
    assert rig.story == []


def test_the_pulse_is_what_the_timer_says():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    assert rig.loop.pulse.journal_s == 3.0, "three writes, one tick of the timer each"
    assert rig.loop.pulse.tick_s == 7.0
    assert rig.loop.pulse.number == 2


def recovered(journal: MemoryJournal) -> tuple[Rig, int]:
    rig = Rig(journal=journal)
    return rig, rig.loop.recover(MONDAY)


def test_recovery_asks_again_about_what_is_under_way():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    again, folded = recovered(rig.journal)
    assert folded == 4
    assert again.story == ["submit p2.s1"]
    assert again.loop.pulse.number == 2
    again.now = MONDAY + 60.0
    again.tick()
    assert again.story[1] == "event e3 StepEnded"


def test_recovery_writes_what_the_last_event_still_owes():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    cut = MemoryJournal()
    for entry in rig.journal.entries():
        if is_event(entry):
            cut.event(entry)
    again, _ = recovered(cut)
    assert again.story == ["commands e2.0 e2.1", "submit p2.s1"]
    assert [type(entry) for entry in cut.entries()] == [PolicyChanged, Observed, Record, Execute]


def test_recovery_begins_at_the_checkpoint():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick(3)
    rig.loop.checkpoint(rig.now)
    number = rig.loop.pulse.number
    again, folded = recovered(rig.journal)
    assert folded == 0
    assert again.loop.pulse.number == number
    assert again.engine.state.totals == rig.engine.state.totals


def folding(entries) -> None:
    fold(Engine(restless.toolbox()), entries)


def test_a_journal_of_another_engine_is_refused():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick(2)
    entries = list(rig.journal.entries())
    row = next(row for row, entry in enumerate(entries) if isinstance(entry, Execute))
    renamed = replace(entries[row], id="e2.7")
    with pytest.raises(JournalError, match=r"holds Execute e2\.7 where this version would have Execute e2\.1"):
        folding([*entries[:row], renamed])
    with pytest.raises(JournalError, match=r"Execute e2\.1 is missing before event e3"):
        folding([*entries[:row], *entries[row + 1 :]])
    with pytest.raises(JournalError, match="where this version would have no command"):
        folding([*entries, replace(entries[row], id="e9.9")])


def test_an_event_that_cannot_be_handled_is_named():
    with pytest.raises(JournalError, match=r"event e1 \(OperatorSaid\) .* cannot be handled: TypeError"):
        folding([OperatorSaid(1.0, Word.PAUSE, subject=[], id="e1")])


def test_a_strategy_that_is_gone_is_named():
    def build(_spec):
        raise ValueError("no strategy restless is installed")

    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    with pytest.raises(
        JournalError, match=r"e1\.0 \(policy restless cannot be used, .* no strategy restless is installed\)"
    ):
        fold(Engine(replace(restless.toolbox(), build_strategy=build)), rig.journal.entries())


def test_steps_in_doubt_are_those_that_run_and_those_being_undone():
    rig = Rig()
    rig.inbox.adopt(restless.policy())
    rig.tick()
    assert [command.step.id for command in in_doubt(rig.engine)] == ["p2.s1"]
    (saga,) = rig.engine.state.sagas
    steps = [replace(saga.runs[0].step, id=f"p2.s{row}", undo=Cordon("c", on=False)) for row in (1, 2)]
    undoing = tuple(replace(saga.runs[0], step=step, status=Status.UNDOING) for step in steps)
    rig.engine.state.sagas = (replace(saga, runs=undoing),)
    assert [command.undo_id for command in in_doubt(rig.engine)] == ["p2.s2.undo", "p2.s1.undo"]


def test_who_paused_is_remembered_over_a_restart():
    rig = Rig()
    rig.inbox.say(Word.PAUSE, subject="web", who="me", why="lunch")
    rig.tick()
    assert next(iter(rig.journal.entries())) == OperatorSaid(MONDAY, Word.PAUSE, "web", "me", "lunch", "e1")
    again, _ = recovered(rig.journal)
    assert again.engine.state.paused == {"web": "lunch"}
