"""Printing: one JSON document, or lines and tables that are readable at 80 columns, without a terminal and without colour.

Separate so that no command formats a number in its own way. Nothing is decided or looked up here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
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


def evidence(numbers: Mapping[str, float]) -> str:
    """`name value` pairs, in the order in which they were given."""
    return ", ".join(f"{name} {value:.6g}" for name, value in numbers.items())


def moment(text: str) -> str:
    """An ISO 8601 time as people read it."""
    return text.replace("T", " ").removesuffix("Z")
