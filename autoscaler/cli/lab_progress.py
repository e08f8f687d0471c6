"""What `flexcapsule lab` shows while it works: a moving line on a terminal, plain lines elsewhere, on standard error.

Separate from lab.py because it is about terminals only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from autoscaler.lab.machine import Progress


@contextmanager
def shown(title: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows one line of what is going on under `title`."""
    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        yield lambda line: console.print(f"{title}: {line}", markup=False, highlight=False, soft_wrap=True)
        return
    with console.status(title) as status:
        yield lambda line: status.update(f"{title}: {line.strip()[:100]}")


@contextmanager
def interruptible(lab: str) -> Iterator[None]:
    """Say, when Ctrl-C comes, what then remains."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"interrupted; what was made stays: `flexcapsule lab status --name {lab}`, `flexcapsule lab down --name {lab}`",
            file=sys.stderr,
        )
        raise


@contextmanager
def followed(*, quiet: bool) -> Iterator[Callable[[Mapping[str, Progress]], None]]:
    """A function that shows how far each cloud VM is."""
    console, began = Console(stderr=True, quiet=quiet), time.monotonic()
    if console.is_terminal:
        with Live(console=console, transient=True) as live:
            yield lambda states: live.update(_table(states, time.monotonic() - began))
        return
    last: dict[str, str] = {}

    def tell(states: Mapping[str, Progress]) -> None:
        for name, state in states.items():
            if last.get(name) != state.stage:
                last[name] = state.stage
                console.print(
                    f"{time.monotonic() - began:6.1f} s  {name}  {state.stage}", markup=False, highlight=False
                )

    yield tell


def _table(states: Mapping[str, Progress], elapsed_s: float) -> Table:
    table = Table(box=None, show_header=False, title=f"booting, {elapsed_s:.0f} s", title_justify="left")
    for name, state in states.items():
        table.add_row(name, state.stage)
    return table
