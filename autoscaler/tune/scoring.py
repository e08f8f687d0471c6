"""One policy on one stretch of the load: what it cost, what it left unserved, what it moved. On this machine or any other.

Separate because this alone runs in worker processes, perhaps elsewhere: it takes text and arrays, gives numbers, and keeps
nothing. The replay is that of `flexcapsule replay`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from autoscaler import policylang, registry
from autoscaler.core.engine import Toolbox
from autoscaler.core.policy import Policy
from autoscaler.forecast.trend import expected_usage
from autoscaler.replay.batch import Setting, jobs
from autoscaler.replay.outcome import no_progress
from autoscaler.sim.traces import Trace
from autoscaler.tune.folds import Stretch

TOOLBOX = Toolbox(registry.build, policylang.compile_condition, expected_usage)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all policies of a session are scored on. Sent to every worker once."""

    traces: tuple[Trace, ...]
    setting: Setting


@dataclass(frozen=True, slots=True)
class Task:
    """A policy, in YAML, and the stretch to replay it on."""

    text: str
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Score:
    """Over all traces: money, core-seconds asked for and not given, app VMs moved."""

    cost: float
    demanded_core_s: float
    unserved_core_s: float
    migrations: float

    @property
    def unserved_fraction(self) -> float:
        return self.unserved_core_s / self.demanded_core_s if self.demanded_core_s > 0 else 0.0

    @property
    def figures(self) -> tuple[float, float, float]:
        """What is minimised."""
        return self.cost, self.unserved_fraction, self.migrations


def policy_of(text: str) -> Policy:
    """The policy of a trial. Raises PolicyError or UsageError where its numbers do not go together."""
    policy = policylang.read_policy_text(text, "trial", registry.strategy_types())
    registry.build(policy.strategy)
    return policy


def scored(ground: Ground, task: Task) -> Score:
    """The same on every machine, to the last digit. Raises KeyboardInterrupt where the replay was cut short by one."""
    policy = policy_of(task.text)
    figures: list[Sequence[float]] = []
    with threadpool_limits(1):  # workers share the cores already; and sums in one thread come out the same everywhere
        for trace in ground.traces:
            (job,) = jobs([task.stretch.of(trace)], [policy], ground.setting, TOOLBOX)
            outcome = job.run(no_progress)
            if not outcome.complete:
                raise KeyboardInterrupt
            figures.append([outcome.score[name] for name in FIGURES])
    return Score(*(sum(column) for column in zip(*figures, strict=True)))


FIGURES = ("cost", "demanded_core_s", "unserved_core_s", "migrations")
