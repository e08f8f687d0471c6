"""Several policies over several traces: which replays there are, one after the other, with baselines where they are asked for.

Separate from the command so that what is replayed does not depend on how it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoscaler.core.engine import Toolbox
from autoscaler.core.policy import Policy
from autoscaler.replay import baselines, recorder
from autoscaler.replay.experiment import FIGURES, check, experiment, shuffled
from autoscaler.replay.honest import honest_stage
from autoscaler.replay.loop import replay, ticks_of
from autoscaler.replay.outcome import Outcome, Progress, no_progress
from autoscaler.replay.worlds import Stage, stage
from autoscaler.sim.cloudsim import facts
from autoscaler.sim.scenario import Scenario
from autoscaler.sim.traces import Trace

CLOUDSIM, PLANETLAB = "cloudsim", "planetlab"  # worlds that are built in, beside those of world files


@dataclass(frozen=True, slots=True)
class Setting:
    """`world`: CLOUDSIM, PLANETLAB, a scenario, or None for one made to fit the trace. `shuffles`, and whether to keep `curves`
    for a report: of the experiment only."""

    world: str | Scenario | None
    seed: int
    shuffles: tuple[int, ...] = ()
    peak_cores: float = 16.0
    hosts: int = 800
    curves: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One replay to be done. `run` is told how to report its progress in ticks, of which there are `ticks`."""

    title: str
    ticks: int
    run: Callable[[Progress], Outcome]


def figures(world: str | Scenario | None) -> tuple[str, ...]:
    """The names of what scores in this world hold."""
    return FIGURES if world == CLOUDSIM else recorder.FIGURES


def jobs(
    traces: Sequence[Trace],
    policies: Sequence[Policy],
    setting: Setting,
    toolbox: Toolbox,
    *,
    with_baselines: bool = False,
) -> list[Job]:
    """All replays, trace by trace. Raises UsageError where world, trace and policy do not fit together."""
    if setting.world == CLOUDSIM:
        return [
            _experiment(one, policy, seed, setting)
            for trace in traces
            for one, seed in [(shuffled(trace, seed), seed) for seed in setting.shuffles] or [(trace, setting.seed)]
            for policy in policies
        ]
    chosen, found = [*policies], list[Job]()
    if with_baselines and not any(policy.name == baselines.HOLD for policy in policies):
        chosen.append(baselines.hold_policy(policies[0]))
    for trace in traces:
        scene = _stage(trace, setting)
        found += [_loop(trace, policy, scene, toolbox, setting.seed) for policy in chosen]
        if with_baselines:
            found.append(_bound(trace, scene, setting.seed))
    return found


def _stage(trace: Trace, setting: Setting) -> Stage:
    if setting.world == PLANETLAB:
        return honest_stage(trace, setting.seed)
    scenario = setting.world if isinstance(setting.world, Scenario) else None
    return stage(trace, scenario, setting.seed, setting.peak_cores)


def _experiment(trace: Trace, policy: Policy, seed: int, setting: Setting) -> Job:
    check(trace, policy)

    def run(progress: Progress = no_progress) -> Outcome:
        return experiment(trace, policy, seed, setting.hosts, progress, with_curves=setting.curves)

    return Job(f"{policy.name} on {trace.name}", len(facts.decision_times()), run)


def _loop(trace: Trace, policy: Policy, scene: Stage, toolbox: Toolbox, seed: int) -> Job:
    def run(progress: Progress = no_progress) -> Outcome:
        return replay(trace, policy, scene, toolbox, seed=seed, progress=progress)

    return Job(f"{policy.name} on {trace.name}", ticks_of(trace, policy), run)


def _bound(trace: Trace, scene: Stage, seed: int) -> Job:
    def run(progress: Progress = no_progress) -> Outcome:
        outcome = baselines.clairvoyant(trace, scene, seed)
        progress(1)
        return outcome

    return Job(f"lower bound on {trace.name}", 1, run)
