"""Words of people, and steps that are withheld: two small adapters."""

from __future__ import annotations

import restless

from autoscaler.adapters.inbox import Inbox
from autoscaler.adapters.shadow import ShadowActuator
from autoscaler.core.events import Execute, OperatorSaid, Outcome, PolicyChanged, Undo, Word
from autoscaler.core.steps import Cordon, Step

STEP = Step("p1.s1", Cordon("c"), undo=Cordon("c", on=False))


def test_words_are_read_in_order_at_the_time_of_the_tick():
    inbox = Inbox()
    inbox.say(Word.PAUSE, subject="web", who="me", why="lunch")
    inbox.adopt(restless.policy())
    assert list(inbox.read(5.0)) == [
        OperatorSaid(5.0, Word.PAUSE, "web", "me", "lunch"),
        PolicyChanged(5.0, restless.policy()),
    ]
    assert list(inbox.read(6.0)) == []


def test_a_receipt_is_signed_when_the_loop_comes_for_the_next_word():
    inbox = Inbox()
    first, second = inbox.say(Word.PAUSE), inbox.say(Word.RESUME)
    words = inbox.read(5.0)
    next(words)
    assert not first.wait(0), "it is being journalled"
    next(words)
    assert first.wait(0)
    assert not second.wait(0)
    assert list(words) == []
    assert second.wait(0)


def test_a_word_that_could_not_be_journalled_is_never_signed():
    inbox = Inbox()
    receipt = inbox.say(Word.PAUSE)
    words = inbox.read(5.0)
    next(words)
    words.close()  # the loop ended with a JournalError
    assert not receipt.wait(0)


def test_a_word_wakes_the_clock():
    woken = []
    inbox = Inbox(on_word=lambda: woken.append(True))
    inbox.say(Word.PAUSE)
    inbox.adopt(restless.policy())
    assert woken == [True, True]


def test_shadow_withholds_every_step_once_per_asking():
    shadow = ShadowActuator()
    shadow.submit(Execute(STEP, "e1"), 1.0)
    shadow.submit(Execute(STEP, "e1"), 1.0)
    shadow.submit(Undo(STEP, "p1.s1.undo", STEP.undo, "e1"), 1.0)
    ended = list(shadow.ended(2.0))
    assert [(end.step, end.outcome, end.at) for end in ended] == [
        ("p1.s1", Outcome.WITHHELD, 2.0),
        ("p1.s1.undo", Outcome.WITHHELD, 2.0),
    ]
    assert all("shadow" in end.reason for end in ended)
    assert list(shadow.ended(3.0)) == []
    shadow.submit(Execute(STEP, "recovery"), 3.0)
    assert len(list(shadow.ended(4.0))) == 1
