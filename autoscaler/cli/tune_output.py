"""What `flexcapsule tune` shows and writes: the numbers there are, how far it is, the table, the picture, the policy.

Separate from the command's options and from what it does. Nothing is tried or judged here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.policylang.numbers import Written
    from autoscaler.tune.evidence import Evidence
    from autoscaler.tune.folds import Fold
    from autoscaler.tune.session import Session
    from autoscaler.tune.study import Watch


def list_numbers(written: Written) -> None:
    """What may be tuned, how far, and what is tuned unless something is named."""
    from autoscaler.cli import show as printing
    from autoscaler.tune.space import Dimension, numbers_by_name, usual

    chosen = {dimension.name for dimension in usual(written)}
    width = max(len(number.name) for number in written.numbers)
    print(f"  {'name':{width}}  {'now':>9}  tried")
    for number, dimension in numbers_by_name(written):
        one = Dimension(number, 0, 0) if dimension is None else dimension
        stretch = "(give a range)" if dimension is None else f"{one.shown(one.low)}..{one.shown(one.high)}"
        mark = "*" if number.name in chosen else " "
        print(f"{mark} {number.name:{width}}  {one.shown(number.value):>9}  {stretch}")
        printing.print_lines(printing.wrapped(number.doc, "      "))
    print("* tuned where no --search names any; others by --search NAME or --search NAME=LOW..HIGH")


@contextmanager
def progress(session: Session) -> Iterator[Watch]:
    """A bar with the time left, where somebody is there to see it; in a log a line at each tenth of a fold."""
    if not sys.stderr.isatty():
        yield lambda fold, done: _logged(session, fold, done)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = [bar.add_task(f"fold {number}", total=None) for number in range(1, session.folds + 1)]
        yield lambda fold, done: bar.update(tasks[fold.number - 1], completed=done, total=fold.trials)


def _logged(session: Session, fold: Fold, done: int) -> None:
    if done and (done == fold.trials or done % max(1, fold.trials // 10) == 0):
        print(f"fold {fold.number} of {session.folds}: {done} of {fold.trials} trials", file=sys.stderr, flush=True)


def write(found: Evidence, out: Path | None, plot: Path | None) -> None:
    """The winner and the picture, where they are asked for. Raises UsageError."""
    from importlib.metadata import version

    from autoscaler.errors import UsageError
    from autoscaler.tune.evidence import policy_file
    from autoscaler.tune.plot import picture

    try:
        if out is not None:
            out.write_text(policy_file(found, version("flexcapsule")), encoding="utf-8")
        if plot is not None:
            plot.write_text(picture(found), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error


def show(found: Evidence, *, json: bool, out: Path | None) -> None:
    from autoscaler.cli import show as printing
    from autoscaler.tune import evidence

    if json:
        printing.print_json(evidence.document(found))
        return
    print(
        f"trials of fold {found.last.fold.number} that none beats in everything, on what it was tuned on (* the winner):"
    )
    printing.print_table(evidence.COLUMNS, evidence.rows(found))
    print()
    printing.print_lines(line for told in evidence.folds_told(found) for line in printing.wrapped(told.lstrip(), told[: len(told) - len(told.lstrip())]))  # fmt: skip
    print(f"verdict: {evidence.verdict(found)}")
    if out is not None:
        print(f"written: {out}")
