"""`flexcapsule replay`: what policies would have done, and cost, under a recorded load."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.core.policy import Policy
    from autoscaler.replay.batch import Job, Setting
    from autoscaler.replay.gate import Verdict
    from autoscaler.replay.outcome import Outcome
    from autoscaler.sim.scenario import Scenario
    from autoscaler.sim.traces import Trace

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
Gate = Annotated[
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
    fail_if: Gate = None,
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
    from autoscaler.errors import UsageError
    from autoscaler.replay.batch import CLOUDSIM, Setting

    if (baseline is None) != (fail_if is None):
        raise UsageError("--baseline and --fail-if go together: a policy to compare with, and what would be worse")
    if world == CLOUDSIM and baselines:
        raise UsageError("--baselines are not of this world: in cloudsim compare with the policies npa and dvfs")
    if shuffle and world != CLOUDSIM:
        raise UsageError("--shuffle deals out the app VM types of --world cloudsim; other worlds have none")
    setting = Setting(_world(world), seed, tuple(shuffle), peak_cores, hosts)
    policies = [_policy(name, world) for name in policy]
    traces = [_cut(one.in_cores(peak_cores), skip, hours) for one in _read(trace)]
    outcomes = list(_run(traces, policies, setting, with_baselines=baselines))
    verdicts: tuple[Verdict, ...] = ()
    if baseline is not None and fail_if is not None:
        from autoscaler.replay.gate import judge

        old = list(_run(traces, [_policy(baseline, world)], setting))
        judged = [outcome for outcome in outcomes if outcome.policy in {mine.name for mine in policies}]
        verdicts = judge(judged, old, fail_if)
    if report is not None:
        _write_report(report, outcomes)
    _print(outcomes, verdicts, json=json)
    if any(not outcome.complete for outcome in outcomes):
        raise typer.Exit(130)
    if any(verdict.failed for verdict in verdicts):
        raise typer.Exit(1)


def _world(name: str | None) -> str | Scenario | None:
    from autoscaler.replay.batch import CLOUDSIM, PLANETLAB

    if name in (None, CLOUDSIM, PLANETLAB):
        return name
    from autoscaler.config import read_world

    return read_world(name if "/" not in str(name) else Path(str(name)))


def _policy(name: str, world: str | None) -> Policy:
    """A ready policy, a file, or for the experiment's worlds one of its own by its name."""
    from autoscaler.cli.loading import load_policy
    from autoscaler.config import ready_policy, resolve_policy
    from autoscaler.replay.batch import CLOUDSIM, PLANETLAB

    own = ready_policy("hold").parent / "planetlab" / f"{name}.yaml"
    return load_policy(own if world in (CLOUDSIM, PLANETLAB) and own.is_file() else resolve_policy(name))


def _read(paths: Sequence[Path]) -> Iterator[Trace]:
    from autoscaler.replay.recordings import read_recording

    for path in paths:
        trace = read_recording(str(path))
        repaired = ", ".join(f"{rule.replace('_', ' ')} {count}" for rule, count in trace.repairs.told())
        if repaired:
            print(f"{trace.name}: repaired {repaired}", file=sys.stderr)
        yield trace


def _cut(trace: Trace, skip: float, hours: float | None) -> Trace:
    from autoscaler.errors import UsageError

    if not skip and hours is None:
        return trace
    first = round(skip * 3600 / trace.step_s)
    last = trace.steps if hours is None else min(trace.steps, first + max(1, round(hours * 3600 / trace.step_s)))
    if first >= last:
        length = trace.steps * trace.step_s / 3600
        raise UsageError(f"--skip {skip:g}: trace {trace.name!r} has only {length:g} hours")
    return trace.between(first, last)


def _run(
    traces: Sequence[Trace], policies: Sequence[Policy], setting: Setting, *, with_baselines: bool = False
) -> Iterator[Outcome]:
    """Ctrl-C ends the replay under way; what was replayed until then is reported."""
    from autoscaler.cli.loading import TOOLBOX
    from autoscaler.replay.batch import jobs

    for job in jobs(traces, policies, setting, TOOLBOX, with_baselines=with_baselines):
        with _progress(job) as advance:
            outcome = job.run(advance)
        if outcome.simulation_s:
            print(f"{job.title}: simulated in {outcome.simulation_s:.2f} s", file=sys.stderr)
        yield outcome
        if not outcome.complete:
            print(f"{job.title}: interrupted; figures and report cover what was replayed until then", file=sys.stderr)
            return


@contextmanager
def _progress(job: Job) -> Iterator[Any]:
    """A bar with the time left, where somebody is there to see it."""
    if job.ticks == 1 or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(job.title, total=job.ticks)
        yield lambda done: bar.update(task, completed=done)


def _write_report(path: Path, outcomes: Sequence[Outcome]) -> None:
    from autoscaler.errors import UsageError
    from autoscaler.replay.report import page

    try:
        path.write_text(page(outcomes), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the report {str(path)!r}: {error.strerror}") from error


def _print(outcomes: Sequence[Outcome], verdicts: Sequence[Verdict], *, json: bool) -> None:
    from autoscaler.cli import show

    if json:
        document: dict[str, Any] = {"results": [outcome.document() for outcome in outcomes]}
        if verdicts:
            document["gate"] = [
                {"policy": v.outcome.policy, "trace": v.outcome.trace, "failed": v.failed, "figures": dict(v.figures)}
                for v in verdicts
            ]
        show.print_json(document)
        return
    show.print_lines(_table(outcomes))
    for verdict in verdicts:
        figures = ", ".join(f"{name} {value:.6g}" for name, value in verdict.figures)
        word = "FAILED" if verdict.failed else "passed"
        print(f"gate {word}: {verdict.outcome.policy} on {verdict.outcome.trace}: {figures}")


COLUMNS = (
    ("cost", "cost", "{:.2f}"),
    ("unserved", "unserved_fraction", "{:.4%}"),
    ("kWh", "energy_kwh", "{:.2f}"),
    ("moves", "migrations", "{:.0f}"),
    ("SLATAH", "slatah", "{:.3%}"),
    ("PDM", "pdm", "{:.4%}"),
    ("flapping", "flapping", "{:.0f}"),
)


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One line per outcome; figures that a world does not know stay empty."""
    rows = [["policy", "trace", *(title for title, _, _ in COLUMNS)]]
    for outcome in outcomes:
        score = outcome.score
        cells = [form.format(score[name]) if name in score else "" for _, name, form in COLUMNS]
        rows.append([outcome.policy, outcome.trace[:24], *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(w) if column < 2 else cell.rjust(w)
            for column, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
