"""The contract of `Clock` (autoscaler/ports.py), run against every implementer on hands that only pretend to wait."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from autoscaler.adapters.clock import Hands, VirtualClock, WallClock

EVERY_S = 10.0


@dataclass
class Machine:
    """Time passes only when somebody waits or works."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def wait(self, flag, seconds):
        if not flag.is_set():
            self.waits.append(seconds)
            self.now += seconds

    @property
    def hands(self) -> Hands:
        return Hands(wall=lambda: self.now, steady=lambda: self.now, wait=self.wait)


CLOCKS: dict[str, Callable] = {
    "wall": lambda machine, ticks: WallClock(EVERY_S, ticks=ticks, hands=machine.hands),
    "compressed": lambda machine, ticks: VirtualClock(
        lambda: 1000.0, EVERY_S, pace=60.0, ticks=ticks, hands=machine.hands
    ),
    "max": lambda machine, ticks: VirtualClock(lambda: 1000.0, EVERY_S, ticks=ticks, hands=machine.hands),
}


@pytest.fixture(params=CLOCKS.values(), ids=CLOCKS.keys())
def make(request):
    return request.param


def test_it_ticks_at_the_cadence_and_ends(make):
    assert list(make(Machine(), 4).ticks()) == [1000.0, 1010.0, 1020.0, 1030.0]


def test_no_ticks_are_no_ticks(make):
    assert list(make(Machine(), 0).ticks()) == []


def test_stopped_between_ticks_it_ends_at_once(make):
    machine = Machine()
    clock = make(machine, None)
    seen = []
    for now in clock.ticks():
        seen.append(now)
        if len(seen) == 3:
            clock.stop()
            waited = len(machine.waits)
    assert len(seen) == 3
    assert len(machine.waits) == waited


def test_stopped_before_it_began_it_never_ticks(make):
    clock = make(Machine(), None)
    clock.stop()
    assert list(clock.ticks()) == []


def test_woken_it_ticks_without_waiting_and_goes_on(make):
    machine = Machine()
    clock = make(machine, None)
    ticks = clock.ticks()
    first = next(ticks)
    clock.wake()
    assert next(ticks) >= first
    assert machine.waits == []
    assert next(ticks) > first


def test_time_never_goes_back(make):
    machine = Machine()
    seen = []
    for now in itertools.islice(make(machine, None).ticks(), 6):
        seen.append(now)
        machine.now -= 25.0 if len(seen) == 3 else 0.0
    assert seen == sorted(seen)
