"""The command `flexcapsule`: the list of commands, and how every one of them ends. One file per command; none here.

Commands import what they need when they run, so that `--help` stays fast. Exit codes: 0 done; 1 a check or comparison says
no; 2 the call or a file is wrong (one line on standard error); 70 a defect of ours, with a report; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated

import typer

from autoscaler.cli import app as app_vms
from autoscaler.cli import (
    check,
    explain,
    keys,
    lab,
    pause,
    plan,
    policies,
    replay,
    run,
    schema,
    status,
    trace,
    tune,
    verify,
)
from autoscaler.errors import FlexCapsuleError

USAGE, DEFECT, INTERRUPTED = 2, 70, 130  # 70: EX_SOFTWARE of sysexits.h; 130: what shells make of SIGINT
WIDTH = 80

app = typer.Typer(
    name="flexcapsule",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("run", run.run, "Run the controller."),
    ("status", status.status, "Show what it believes, spends and does."),
    ("explain", explain.explain, "Say why, and why not."),
    ("plan", plan.plan, "Show one decision; carry out nothing."),
    ("pause", pause.pause, "Leave something alone."),
    ("resume", pause.resume, "Manage it again."),
    ("check", check.check, "Check policies, configs, cluster and world files."),
    ("policies", policies.policies, "List the ready policies, or print one."),
    ("schema", schema.schema, "Print a JSON Schema, for editors."),
    ("verify", verify.verify, "Re-execute a journal and compare."),
)
for _name, _command, _short in COMMANDS:
    app.command(_name, short_help=_short)(_command)
replay.register(app)
app.command("tune", short_help="Find better numbers for a policy.")(tune.tune)
trace.register(app)
app.add_typer(lab.app)
app.add_typer(keys.app)
app.command(
    "app",
    short_help="Run app VMs by hand, as processes.",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    no_args_is_help=True,
)(app_vms.app)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"flexcapsule {version('flexcapsule')}")
        raise typer.Exit


@app.callback()
def flexcapsule(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Scale applications that run in small VMs: more or fewer replicas, bigger, smaller, fewer or more cloud VMs.

    \b
    Try it, on a cluster that exists in memory only:
      flexcapsule run              a compressed day of load; Ctrl-C ends it
      flexcapsule status           what it believes and spends
      flexcapsule explain --last   why it did what it did, and why not more
    \b
    Write your own policy:
      flexcapsule policies --copy balanced > mine.yaml
      flexcapsule check mine.yaml
      flexcapsule run --policy mine.yaml --mode shadow
    """
    del version


def main() -> None:
    """Run the command line; never returns. A terminal that cannot show a character shows a `?` instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(ended(sys.argv[1:]))


def ended(arguments: list[str], commands: Callable[..., object] = app) -> int:
    """Run one command; how it ended, as an exit code. Mistakes of the caller end in one line, defects in a report."""
    try:
        commands(arguments, prog_name="flexcapsule")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0
    except FlexCapsuleError as error:
        print(f"flexcapsule: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it flushes
        return 0
    except Exception as defect:  # noqa: BLE001  the last place where a defect can be told without a wall of text
        print(f"flexcapsule: {_reported(defect)}", file=sys.stderr)
        return DEFECT
    return 0


def _reported(defect: Exception) -> str:
    """Write the report that maintainers need, and say where it is."""
    import tempfile
    import traceback
    from importlib.metadata import version
    from pathlib import Path

    told = f"a defect of ours: {type(defect).__name__}: {defect}"
    text = "".join(traceback.format_exception(defect))
    try:
        descriptor, name = tempfile.mkstemp(prefix="flexcapsule-defect-", suffix=".txt")
        with os.fdopen(descriptor, "w") as file:
            file.write(f"flexcapsule {version('flexcapsule')}, Python {sys.version}\n{sys.argv}\n\n{text}")
    except OSError:
        return f"{told}\n{text}"
    return f"{told}; please send {Path(name)} to the maintainers"
