"""When the loop turns: at a cadence of the wall clock, or through virtual time as fast as wished.

Separate because it is the only reader of the wall clock and the only one that waits. Both clocks end early when stopped and
tick early when woken (an operator's word should not wait for the cadence); both calls are safe from signal handlers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event as Flag

SLEWING = 0.5  # the least that our time passes per second while a wall clock that was set back catches up


@dataclass(frozen=True, slots=True)
class Hands:
    """What a clock needs of the machine: the time of day, a clock that never jumps, and a way to wait on a flag."""

    wall: Callable[[], float] = time.time  # noqa: TID251  this is where the wall clock belongs
    steady: Callable[[], float] = time.monotonic
    wait: Callable[[Flag, float], object] = Flag.wait


class WallClock:
    """A tick every `every_s` from the first one on: no drift, and ticks that a slow turn missed are left out.

    Never goes back: where the wall clock is set back, time passes at half speed until it has caught up. `ticks`: how many in
    all, None = until stopped.
    """

    def __init__(self, every_s: float, *, ticks: int | None = None, hands: Hands = Hands()) -> None:
        self._every_s, self._ticks, self._last, self._hands = every_s, ticks, -math.inf, hands
        self._pause = _Pause()

    def go_on_from(self, at: float) -> None:
        """Before the first tick: what is on record is in the past."""
        self._last = max(self._last, at)

    def now(self) -> float:
        """The time that a tick would have at this moment."""
        return max(self._hands.wall(), self._last)

    def ticks(self) -> Iterator[float]:
        hands, every_s = self._hands, self._every_s
        began = seen = hands.steady()
        beat, told = 0, 0
        while not self._pause.stopped and (self._ticks is None or told < self._ticks):
            steady = hands.steady()
            self._last = max(hands.wall(), self._last + SLEWING * (steady - seen))
            seen, told = steady, told + 1
            yield self._last
            due = max(beat + 1, math.ceil((hands.steady() - began) / every_s))
            if not self._pause.until(began + due * every_s, hands):
                beat = due

    def stop(self) -> None:
        self._pause.stop()

    def wake(self) -> None:
        self._pause.wake()


class VirtualClock:
    """Ticks at `begin()`, `begin()` + `every_s`, ...; `pace` virtual seconds pass per real one (infinity: no waiting).

    No tick is ever left out: where the controller is slower than the pace, virtual time waits for it, so that a run does
    not depend on the machine. Waking shortens the wait, not the virtual time. `begin` is asked when the first tick is due.
    """

    def __init__(
        self,
        begin: Callable[[], float],
        every_s: float,
        *,
        pace: float = math.inf,
        ticks: int | None = None,
        hands: Hands = Hands(),
    ) -> None:
        self._begin, self._every_s, self._pace, self._ticks, self._hands = begin, every_s, pace, ticks, hands
        self._pause = _Pause()

    def ticks(self) -> Iterator[float]:
        hands, told = self._hands, 0
        start_at, due = self._begin(), hands.steady()
        while not self._pause.stopped and (self._ticks is None or told < self._ticks):
            yield start_at + told * self._every_s
            told += 1
            due = max(due + self._every_s / self._pace, hands.steady())
            self._pause.until(due, hands)

    def stop(self) -> None:
        self._pause.stop()

    def wake(self) -> None:
        self._pause.wake()


@dataclass(slots=True)
class _Pause:
    """Waiting that can be cut short."""

    stopped: bool = False
    _flag: Flag = field(default_factory=Flag)

    def until(self, due: float, hands: Hands) -> bool:
        """Wait for `due`, a word, or the stop; a word said before counts too. Whether it was cut short."""
        rest_s = due - hands.steady()
        if rest_s > 0 and not self.stopped:
            hands.wait(self._flag, rest_s)
        woken = self._flag.is_set()
        self._flag.clear()
        return woken

    def stop(self) -> None:
        self.stopped = True
        self._flag.set()

    def wake(self) -> None:
        self._flag.set()
