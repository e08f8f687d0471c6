"""Cadence, late turns, a wall clock that is set back: on hands that only pretend to wait; and one real wait cut short."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from autoscaler.adapters.clock import Hands, VirtualClock, WallClock


@dataclass
class Machine:
    steady: float = 0.0
    offset: float = 500.0
    waits: list[float] = field(default_factory=list)

    def wait(self, flag, seconds):
        self.waits.append(seconds)
        if not flag.is_set():
            self.steady += seconds

    @property
    def hands(self) -> Hands:
        return Hands(wall=lambda: self.steady + self.offset, steady=lambda: self.steady, wait=self.wait)


def ticks_of(clock, work):
    """The times of the ticks, each of which takes as long as `work` says."""
    machine, durations = work
    seen = []
    for now, duration in zip(clock.ticks(), durations, strict=False):
        seen.append(now)
        machine.steady += duration
    return seen


def test_work_within_the_cadence_does_not_shift_it():
    machine = Machine()
    clock = WallClock(10.0, ticks=4, hands=machine.hands)
    assert ticks_of(clock, (machine, [1.0, 9.9, 0.0, 3.0])) == [500.0, 510.0, 520.0, 530.0]


def test_missed_ticks_are_left_out_and_the_cadence_stays():
    machine = Machine()
    clock = WallClock(10.0, ticks=4, hands=machine.hands)
    assert ticks_of(clock, (machine, [25.0, 10.0, 0.0, 0.0])) == [500.0, 530.0, 540.0, 550.0]


def test_a_tick_in_between_does_not_shift_the_cadence():
    machine = Machine()
    clock = WallClock(10.0, hands=machine.hands)
    ticks = clock.ticks()
    next(ticks)
    machine.steady += 4.0
    clock.wake()
    assert next(ticks) == 504.0
    assert next(ticks) == 510.0


def test_a_wall_clock_set_back_is_waited_for_at_half_speed():
    machine = Machine()
    ticks = WallClock(10.0, hands=machine.hands).ticks()
    seen = [next(ticks), next(ticks)]
    machine.offset -= 12.0
    seen += [next(ticks) for _ in range(4)]
    assert seen == [500.0, 510.0, 515.0, 520.0, 528.0, 538.0]


def test_it_begins_no_earlier_than_what_is_on_record():
    machine = Machine()
    clock = WallClock(10.0, hands=machine.hands)
    clock.go_on_from(600.0)
    assert clock.now() == 600.0
    ticks = clock.ticks()
    assert [next(ticks) for _ in range(2)] == [600.0, 605.0]


def test_virtual_time_waits_for_slow_work_and_leaves_nothing_out():
    machine = Machine()
    clock = VirtualClock(lambda: 0.0, 60.0, pace=60.0, ticks=4, hands=machine.hands)
    assert ticks_of(clock, (machine, [0.25, 5.0, 0.25, 0.0])) == [0.0, 60.0, 120.0, 180.0]
    assert machine.waits == [0.75, 0.75, 1.0]


def test_without_a_pace_nothing_is_waited_for():
    machine = Machine()
    assert len(list(VirtualClock(lambda: 0.0, 60.0, ticks=1000, hands=machine.hands).ticks())) == 1000
    assert machine.waits == []


def test_a_real_wait_is_cut_short_by_another_thread():
    clock = WallClock(3600.0)
    ticks = clock.ticks()
    next(ticks)
    began = time.monotonic()
    threading.Thread(target=clock.stop).start()
    assert list(ticks) == []
    assert time.monotonic() - began < 3.0
