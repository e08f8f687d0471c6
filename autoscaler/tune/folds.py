"""Which stretch of time is tuned on, and which is only judged on: the load is cut into blocks, and every fold tunes on all
blocks before its own and is judged on its own alone.

Separate because this is what makes a score worth anything: load is alike from one hour to the next, so that a random choice
of hours would let a policy be judged on what it was tuned on (blocks: Bergmeir & Benítez, Information Sciences 191, 2012; an
origin that rolls on: Tashman, Int. J. of Forecasting 16, 2000). Numbers of steps only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.errors import UsageError
from autoscaler.sim.traces import Trace

LEAST_TICKS = 8  # decisions in a block: with fewer, what a policy does by chance is all that is seen


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks `first` to `last` of `blocks` alike, end excluded."""

    first: int
    last: int
    blocks: int

    def of(self, trace: Trace) -> Trace:
        return trace.between(trace.steps * self.first // self.blocks, trace.steps * self.last // self.blocks)

    def hours(self, trace: Trace) -> tuple[float, float]:
        """From when to when, in hours of the trace."""
        first, last = (trace.steps * block // self.blocks for block in (self.first, self.last))
        return first * trace.step_s / 3600, last * trace.step_s / 3600


@dataclass(frozen=True, slots=True)
class Fold:
    """Tuned on `before`, judged on `after`. `number` from 1; `trials`: how many tries it has."""

    number: int
    trials: int
    before: Stretch
    after: Stretch


def folds(count: int, trials: int) -> tuple[Fold, ...]:
    """`trials` shared out over `count` folds, what is left over to the last ones. Raises UsageError where one would get none."""
    if trials < count:
        raise UsageError(f"--trials {trials}: {count} folds need at least one each; more trials, or fewer --folds")
    blocks, each, over = count + 1, *divmod(trials, count)
    return tuple(
        Fold(
            number=number,
            trials=each + (number > count - over),
            before=Stretch(0, number, blocks),
            after=Stretch(number, number + 1, blocks),
        )
        for number in range(1, count + 1)
    )


def refuse_short(traces: Sequence[Trace], count: int, every_s: float) -> None:
    """Raises UsageError where a block of some trace is too short to judge a policy that decides `every_s`."""
    for trace in traces:
        block_s = trace.steps // (count + 1) * trace.step_s
        if block_s < LEAST_TICKS * every_s:
            raise UsageError(
                f"trace {trace.name!r} is too short: cut into {count + 1} blocks each has {block_s / every_s:.0f} decisions, "
                f"at least {LEAST_TICKS} are needed; a longer trace, or fewer --folds"
            )
