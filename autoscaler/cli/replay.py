"""`flexcapsule replay`: what policies would have done, and cost, under a recorded load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.loads import cut, read_loads, world_of
from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.core.policy import Policy
    from autoscaler.replay.batch import Setting
    from autoscaler.replay.gate import Verdict
    from autoscaler.replay.outcome import Outcome
    from autoscaler.sim.traces import Trace

    Gate = tuple[Policy, str]  # the baseline, and what fails

Traces = Annotated[list[Path], typer.Option("--trace", "-t", metavar="PATH", help="Recorded load; may be repeated.")]
Policies = Annotated[
    list[str], typer.Option("--policy", "-p", metavar="NAME|FILE", help="What to try; may be repeated.")
]
World = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="NAME|FILE",
        help="cloudsim, planetlab, example, or a world file; else made to fit the trace.",
    ),
]
Shuffles = Annotated[
    list[int], typer.Option("--shuffle", metavar="SEED", help="cloudsim: another order of app VMs; may be repeated.")
]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a self-contained HTML page.")]
FailIf = Annotated[
    str | None,
    typer.Option("--fail-if", metavar="CEL", help="Exit 1 where it holds, like 'cost > 1.02 * baseline.cost'."),
]


def register(main: typer.Typer) -> None:
    """Add the command to the command line."""
    main.command("replay", short_help="Try policies on recorded load.")(replay)


def replay(
    trace: Traces,
    policy: Policies,
    world: World = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the world's chance.")] = 1,
    shuffle: Shuffles = [],  # noqa: B006  typer's way to say: none
    skip: Annotated[float, typer.Option("--skip", min=0.0, help="Leave out so many hours of each trace.")] = 0.0,
    hours: Annotated[float | None, typer.Option("--hours", min=0.01, help="Replay only so many.")] = None,
    peak_cores: Annotated[
        float, typer.Option("--peak-cores", min=0.01, help="What the peak of a load in other units asks for.")
    ] = 16.0,
    hosts: Annotated[int, typer.Option("--hosts", min=1, help="cloudsim: how many.")] = 800,
    baselines: Annotated[bool, typer.Option("--baselines", help="Also: hold at peak size, and a lower bound.")] = False,
    baseline: Annotated[str | None, typer.Option("--baseline", metavar="NAME|FILE", help="For --fail-if.")] = None,
    fail_if: FailIf = None,
    report: Report = None,
    json: AsJson = False,
) -> None:
    """Replay recorded load against policies, in a cluster that exists in memory only.

    The engine, strategies and guards are those of `run`; the world reacts to what is decided.

    \b
    Examples:
      flexcapsule replay -t week.parquet -p balanced -p mine.yaml --baselines --report out.html
      flexcapsule replay -t week.parquet -p new.yaml --baseline old.yaml --fail-if 'cost > 1.02 * baseline.cost'
      flexcapsule replay --world cloudsim -t planetlab-20110303.tar.gz -p lr-mmt -p thr-mmt --json
    """
    from autoscaler.cli import replay_output
    from autoscaler.errors import UsageError
    from autoscaler.replay.batch import CLOUDSIM, Setting

    if (baseline is None) != (fail_if is None):
        raise UsageError("--baseline and --fail-if go together: a policy to compare with, and what would be worse")
    if world == CLOUDSIM and baselines:
        raise UsageError("--baselines are not of this world: in cloudsim compare with the policies npa and dvfs")
    if shuffle and world != CLOUDSIM:
        raise UsageError("--shuffle deals out the app VM types of --world cloudsim; other worlds have none")
    setting = Setting(world_of(world), seed, tuple(shuffle), peak_cores, hosts, report is not None)
    policies = [_policy(name, world) for name in policy]
    gate = None if baseline is None or fail_if is None else _gate(_policy(baseline, world), fail_if, setting)
    if report is not None:
        replay_output.check_report(report)
    traces = [cut(one.in_cores(peak_cores), skip, hours) for one in read_loads(trace)]
    outcomes, verdicts, whole = _judged(traces, policies, setting, gate, with_baselines=baselines)
    replay_output.show(outcomes, verdicts, json=json)
    if report is not None:
        replay_output.write_report(report, outcomes)
    if not whole:
        raise typer.Exit(130)
    if any(verdict.failed for verdict in verdicts):
        raise typer.Exit(1)


def _gate(baseline: Policy, expression: str, setting: Setting) -> Gate:
    """Raises UsageError for a wrong expression: before anything is replayed."""
    from autoscaler.replay.batch import figures
    from autoscaler.replay.gate import check

    check(expression, figures(setting.world))
    return baseline, expression


def _judged(
    traces: Sequence[Trace], policies: Sequence[Policy], setting: Setting, gate: Gate | None, *, with_baselines: bool
) -> tuple[list[Outcome], tuple[Verdict, ...], bool]:
    """Outcomes, the gate's verdicts, and whether nothing was interrupted: half of the replays are not judged."""
    from autoscaler.cli.loading import TOOLBOX
    from autoscaler.cli.replay_running import carry_out
    from autoscaler.replay.batch import jobs
    from autoscaler.replay.gate import judge

    planned = jobs(traces, policies, setting, TOOLBOX, with_baselines=with_baselines)
    compared = [] if gate is None else jobs(traces, [gate[0]], setting, TOOLBOX)
    ended, whole = carry_out([*planned, *compared])
    outcomes, old = ended[: len(planned)], ended[len(planned) :]
    if gate is None or not whole:
        return outcomes, (), whole
    names = {policy.name for policy in policies}
    return outcomes, judge([one for one in outcomes if one.policy in names], old, gate[1]), whole


def _policy(name: str, world: str | None) -> Policy:
    """A ready policy, a file, or for the experiment's worlds one of its own by its name."""
    from autoscaler.cli.loading import load_policy
    from autoscaler.config import ready_policy, resolve_policy
    from autoscaler.replay.batch import CLOUDSIM, PLANETLAB

    own = ready_policy("hold").parent / "planetlab" / f"{name}.yaml"
    return load_policy(own if world in (CLOUDSIM, PLANETLAB) and own.is_file() else resolve_policy(name))
