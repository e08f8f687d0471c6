"""Printing: one JSON document, or lines and tables that are readable at 80 columns, without a terminal and without colour.

Separate so that no command formats a number in its own way. Nothing is decided or looked up here.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

PLAIN_WIDTH = 80  # where there is no terminal to ask


def print_json(document: Mapping[str, Any] | Sequence[Any] | BaseModel) -> None:
    """The only thing that `--json` puts on standard output."""
    content = document if isinstance(document, Mapping | list | tuple) else document.model_dump(mode="json")  # type: ignore[union-attr]
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns named `>name` are aligned to the right; long cells are wrapped, never cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False).print(table)


def per_cent(fraction: float) -> str:
    return f"{100.0 * fraction:.1f} %"


def money(amount: float) -> str:
    """Three decimals: prices of small cloud VMs are cents per hour."""
    return f"{amount:.3f}"


def duration(seconds: float) -> str:
    """As policies write it: 90s, 5m, 1h30m."""
    if seconds < 60 or seconds != round(seconds):
        return f"{seconds:g}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{value}{unit}" for value, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if value)


def evidence(numbers: Mapping[str, float | None]) -> str:
    """`name value` pairs in the order in which they were given; what the unit at the end of a name says, the value shows."""
    return ", ".join(_measured(name, value) for name, value in numbers.items())


def _measured(name: str, value: float | None) -> str:
    if value is None:
        return f"{name} unknown"
    for suffix, text in UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix)} {text(value)}"
    return f"{name} {value:.6g}"


UNITS: Mapping[str, Callable[[float], str]] = {
    "_fraction": per_cent,
    "_bytes": lambda value: f"{value / 2**20:.6g} MiB",
    "_per_hour": lambda value: f"{value:.3f} per hour",
    "_s": lambda value: f"{value:.6g} s",
}


def counted(count: float, noun: str) -> str:
    """`1 cloud VM`, `2 cloud VMs`."""
    return f"{count:.0f} {noun}{'' if count == 1 else 's'}"


def wrapped(text: str, indent: str = "") -> list[str]:
    """At most PLAIN_WIDTH columns; what does not fit goes on further to the right. Words are never broken."""
    return textwrap.wrap(
        text,
        PLAIN_WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def about(subject: str, reason: str) -> str:
    """A reason that says what it is about, once."""
    return reason if reason.startswith((f"{subject}:", f"{subject} ")) else f"{subject}: {reason}"


def moment(text: str) -> str:
    """An ISO 8601 time as people read it."""
    return text.replace("T", " ").removesuffix("Z")
