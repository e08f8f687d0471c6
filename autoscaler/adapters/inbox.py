"""What people say to a running controller: pause, resume, a new policy. Put in from any thread, read by the loop.

Separate because signal handlers and HTTP threads must not touch the engine: they put a word in and may wait until it is on
record. Nothing here decides whether a word is welcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event as Flag

from autoscaler.core.events import Event, OperatorSaid, PolicyChanged, Word
from autoscaler.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Receipt:
    """For who put a word in: `wait` tells whether it was journalled and taken within `timeout_s`."""

    _taken: Flag = field(default_factory=Flag)

    def wait(self, timeout_s: float) -> bool:
        return self._taken.wait(timeout_s)

    def sign(self) -> None:
        self._taken.set()


class Inbox:
    """Implements ports.Source. `on_word` is called after each word that is put in: it wakes the clock."""

    def __init__(self, on_word: Callable[[], None] = lambda: None) -> None:
        self._on_word = on_word
        self._words: SimpleQueue[tuple[Callable[[float], Event], Receipt]] = SimpleQueue()

    def say(self, word: Word, *, subject: str = "", who: str = "", why: str = "") -> Receipt:
        """Pause or resume `subject` (an app VM, service or cloud VM id; empty = the cluster)."""
        return self._put(lambda now: OperatorSaid(now, word, subject, who, why))

    def adopt(self, policy: Policy) -> Receipt:
        """From the next tick on this policy decides. It must have been checked: what is put in here is journalled as is."""
        return self._put(lambda now: PolicyChanged(now, policy))

    def read(self, now: float) -> Iterator[Event]:
        """Each word at `now`, in the order in which they were put in; asking for the next one tells that the last was taken."""
        while True:
            try:
                event_at, receipt = self._words.get_nowait()
            except Empty:
                return
            yield event_at(now)
            receipt.sign()

    def _put(self, event_at: Callable[[float], Event]) -> Receipt:
        receipt = Receipt()
        self._words.put((event_at, receipt))
        self._on_word()
        return receipt
