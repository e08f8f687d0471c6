"""What replays came to: a table or JSON on standard output, the gate's verdicts, and the report as a file.

Separate from the command's options and from carrying replays out. Nothing is measured or judged here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.cli.show import print_json, print_lines
from autoscaler.errors import UsageError

if TYPE_CHECKING:
    from autoscaler.replay.gate import Verdict
    from autoscaler.replay.outcome import Outcome

COLUMNS = (
    ("cost", "cost", "{:.2f}"),
    ("unserved", "unserved_fraction", "{:.4%}"),
    ("kWh", "energy_kwh", "{:.2f}"),
    ("moves", "migrations", "{:.0f}"),
    ("SLATAH", "slatah", "{:.3%}"),
    ("PDM", "pdm", "{:.4%}"),
    ("flapping", "flapping", "{:.0f}"),
)


def check_report(path: Path) -> None:
    """Raises UsageError where `path` cannot be written: before hours of replays, not after."""
    if path.is_dir():
        raise UsageError(f"cannot write the report {str(path)!r}: it is a directory")
    there = path if path.exists() else path.parent
    if not os.access(there, os.W_OK):
        why = os.strerror(errno.EACCES if there.exists() else errno.ENOENT)
        raise UsageError(f"cannot write the report {str(path)!r}: {why}")


def write_report(path: Path, outcomes: Sequence[Outcome]) -> None:
    """One HTML page. Raises UsageError."""
    from autoscaler.replay.report import page

    try:
        path.write_text(page(outcomes), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the report {str(path)!r}: {error.strerror}") from error


def show(outcomes: Sequence[Outcome], verdicts: Sequence[Verdict], *, json: bool) -> None:
    """On standard output."""
    if json:
        document: dict[str, Any] = {"results": [outcome.document() for outcome in outcomes]}
        if verdicts:
            document["gate"] = [
                {"policy": v.outcome.policy, "trace": v.outcome.trace, "failed": v.failed, "figures": dict(v.figures)}
                for v in verdicts
            ]
        print_json(document)
        return
    print_lines(_table(outcomes))
    for verdict in verdicts:
        figures = ", ".join(f"{name} {value:.6g}" for name, value in verdict.figures)
        word = "FAILED" if verdict.failed else "passed"
        print(f"gate {word}: {verdict.outcome.policy} on {verdict.outcome.trace}: {figures}")


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
