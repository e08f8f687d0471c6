"""`flexcapsule trace`: what a recorded load holds, in another layout, or made up from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaler.cli.options import AsJson

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at, convert or make up recorded load.")

Recorded = Annotated[Path, typer.Argument(metavar="TRACE", help="A file or folder in any layout that is known.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed makes the same load.")]
SHAPES = ("diurnal", "bursty", "flash", "onoff")


def register(main: typer.Typer) -> None:
    """Add the commands to the command line."""
    main.add_typer(app, name="trace", short_help="Look at, convert or make up recorded load.")


@app.command("info")
def info(trace: Recorded, json: AsJson = False) -> None:
    """Show the layout, the time covered, the load, and what had to be repaired.

    \b
    Layouts: PlanetLab (folder or .tar.gz), Bitbrains GWA-T-12 (CSV or Parquet), OpenDC,
    World Cup, Azure and Google sums, NAB, and our own (docs/replay.md).
    """
    from autoscaler.cli import show

    told = _told(trace)
    if json:
        show.print_json(told)
    else:
        show.print_lines(_lines(told))


@app.command("convert")
def convert(trace: Recorded, target: Annotated[Path, typer.Argument(metavar="OUT", help=".parquet or .csv")]) -> None:
    """Write a trace in our own layout, repaired; quicker to read again."""
    from autoscaler.replay.recordings import read_recording
    from autoscaler.sim.traces import native

    native.write(read_recording(str(trace)), target)
    typer.echo(f"wrote {target}")


@app.command("generate")
def generate(
    target: Annotated[Path, typer.Argument(metavar="OUT", help=".parquet or .csv")],
    shape: Annotated[str, typer.Option("--shape", help="One of " + ", ".join(SHAPES) + ".")] = "diurnal",
    subjects: Annotated[int, typer.Option("--subjects", min=1, max=10_000, help="How many of them.")] = 1,
    days: Annotated[float, typer.Option("--days", min=0.01, max=400.0)] = 7.0,
    step: Annotated[float, typer.Option("--step", min=1.0, max=86_400.0, help="Seconds between samples.")] = 300.0,
    peak_cores: Annotated[float, typer.Option("--peak-cores", min=0.01, help="Of each subject, about.")] = 8.0,
    app_vms: Annotated[bool, typer.Option("--app-vms", help="Load of app VMs instead of services.")] = False,
    seed: Seed = 1,
) -> None:
    """Make up a load with the shape of a day, of bursts, of a flash crowd, or of work that is on or off."""
    from autoscaler.errors import UsageError
    from autoscaler.sim.traces import native
    from autoscaler.sim.traces.made_up import make_up

    if shape not in SHAPES:
        raise UsageError(f"--shape {shape!r}: expected one of {', '.join(SHAPES)}")
    made = make_up(shape, "app_vms" if app_vms else "services", subjects, days, step, peak_cores, seed)
    native.write(made, target)
    typer.echo(f"wrote {target}")


@app.command("fetch")
def fetch(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of a Prometheus server.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help=".parquet or .csv")],
    cpu: Annotated[str, typer.Option("--cpu", metavar="QUERY", help="Gives cores in use, one series per subject.")],
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="2026-11-01T00:00:00Z, or seconds.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME")],
    label: Annotated[list[str], typer.Option("--label", help="Labels that name a subject; may be repeated.")],
    memory: Annotated[str | None, typer.Option("--memory", metavar="QUERY", help="Gives bytes in use.")] = None,
    step: Annotated[float, typer.Option("--step", min=1.0, help="Seconds between samples.")] = 60.0,
    app_vms: Annotated[bool, typer.Option("--app-vms", help="Subjects are app VMs instead of services.")] = False,
) -> None:
    """Write what a Prometheus server recorded as a trace.

    \b
    Example:
      flexcapsule trace fetch URL week.parquet --from 2026-11-01T00:00:00Z --until 2026-11-08T00:00:00Z \\
        --cpu 'sum by (job) (rate(process_cpu_seconds_total[5m]))' --label job
    """
    from autoscaler.adapters.prometheus import Range
    from autoscaler.replay.metrics import recorded_trace
    from autoscaler.sim.traces import native

    when = Range(_instant(begin), _instant(until), step)
    kind: Any = "app_vms" if app_vms else "services"
    native.write(recorded_trace(url, cpu, memory, label, when, kind, target.stem), target)
    typer.echo(f"wrote {target}")


def _instant(text: str) -> float:
    from datetime import UTC, datetime

    from autoscaler.errors import UsageError

    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time; expected 2026-11-01T00:00:00Z, or seconds since the epoch") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _told(path: Path) -> dict[str, Any]:
    import numpy as np

    from autoscaler.replay.recordings import read_recording
    from autoscaler.telemetry.reports import time_text

    trace = read_recording(str(path))
    total = trace.total()
    return {
        "name": trace.name,
        "layout": trace.layout,
        "kind": trace.kind,
        "subjects": len(trace.subjects),
        "from": time_text(trace.start_at),
        "until": time_text(trace.until),
        "step_s": trace.step_s,
        "steps": trace.steps,
        "unit": trace.unit,
        "load": {"mean": float(total.mean()), "peak": float(total.max()), "least": float(total.min())},
        "allocated_cores": float(trace.allocated_cores.sum()),
        "allocated_bytes": float(trace.allocated_bytes.sum()),
        "memory_recorded": trace.memory_bytes is not None,
        "absent_fraction": float(np.isnan(trace.cores).mean()),
        "repairs": dict(trace.repairs.told()),
    }


def _lines(told: dict[str, Any]) -> list[str]:
    load = told["load"]
    gib = told["allocated_bytes"] / 2**30
    memory = "recorded" if told["memory_recorded"] else "not recorded"
    lines = [
        f"{told['name']}: layout {told['layout']}, {told['subjects']} {told['kind'].replace('_', ' ')}",
        f"from {told['from']} until {told['until']}, {told['steps']} steps of {told['step_s']:g} s",
        f"load in {told['unit']}: mean {load['mean']:.4g}, least {load['least']:.4g}, peak {load['peak']:.4g}",
        f"allocated: {told['allocated_cores']:g} cores, {gib:.1f} GiB; memory in use {memory}",
    ]
    repairs = [f"{name.replace('_', ' ')} {count}" for name, count in told["repairs"].items()]
    return [*lines, f"repaired: {', '.join(repairs) or 'nothing'}"]
