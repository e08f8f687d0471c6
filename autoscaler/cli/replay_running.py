"""Carrying out replays one after the other: how far they are, and Ctrl-C, which ends them where nothing is lost.

Separate from the command's options and from what is printed at the end. Nothing is measured or judged here.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.replay.batch import Job
    from autoscaler.replay.outcome import Outcome

Watch = Callable[[str, int], None]  # told what is under way and how many ticks of all are done


def carry_out(jobs: Sequence[Job]) -> tuple[list[Outcome], bool]:
    """What they came to, and whether that is all. Ctrl-C ends the replay under way between two ticks, and leaves out those
    to come; a second one does not wait for that."""
    outcomes: list[Outcome] = []
    with _asked_to_end() as end, _bar(jobs) as watch:
        before = 0
        for job in jobs:

            def advance(done: int, job: Job = job, before: int = before) -> None:
                watch(job.title, before + done)
                end()

            try:
                outcomes.append(job.run(advance))
            except KeyboardInterrupt:
                print(f"{job.title}: interrupted; it is left out", file=sys.stderr)
                return outcomes, False
            _tell(job, outcomes[-1])
            if not outcomes[-1].complete:
                return outcomes, False
            before += job.ticks
    return outcomes, True


def _tell(job: Job, outcome: Outcome) -> None:
    if outcome.simulation_s:
        print(f"{job.title}: simulated in {outcome.simulation_s:.2f} s", file=sys.stderr)
    if not outcome.complete:
        print(f"{job.title}: interrupted; figures and report cover what was replayed until then", file=sys.stderr)


@contextmanager
def _asked_to_end() -> Iterator[Callable[[], None]]:
    """Raises KeyboardInterrupt when called after a Ctrl-C, so that no tick is cut in two."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)

    def end() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield end
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(jobs: Sequence[Job]) -> Iterator[Watch]:
    """A bar over all replays with the time left, where somebody is there to see it."""
    if not sys.stderr.isatty():
        yield lambda _title, _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()),
        *(TimeRemainingColumn(elapsed_when_finished=True), TextColumn("left")),
    )
    number = {job.title: place for place, job in enumerate(jobs, 1)}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(job.ticks for job in jobs))

        def watch(title: str, done: int) -> None:
            bar.update(task, completed=done, description=f"{number[title]}/{len(jobs)} {title}")

        yield watch
