"""What a person sees while the controller runs: each new wish with why it was granted or denied, and one line of status.

A watcher of the loop; it changes nothing. A denial is told once, until it changes: a wish that waits for its cooldown would
fill the screen. Reasons are those of the record.
"""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.status import Status

from autoscaler.cli import show
from autoscaler.cli.beside import titles
from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Denied
from autoscaler.core.events import (
    Alert,
    Command,
    Event,
    Observed,
    OperatorSaid,
    Outcome,
    PolicyChanged,
    Record,
    StepEnded,
)
from autoscaler.telemetry.reports import time_text
from autoscaler.telemetry.trail import decision_of

if TYPE_CHECKING:
    from autoscaler.comparison import Difference
    from autoscaler.sim.score import Score

LEAST_WIDTH, LINES = 60, 2
ID_WIDTH = 6  # d99999: some weeks of decisions; longer ones only push their own line
STATUS_EVERY_S = 3600.0  # of the cluster's time, where there is no terminal to keep a line up to date
OUTSIDE = {Outcome.FAILED: "red", Outcome.WITHHELD: "dim"}  # outcomes of steps that are told


class Narrator:
    """Enter it around the run. `score` gives the simulated cluster's figures, None where the cluster is real."""

    def __init__(self, score: Callable[[], Score | None]) -> None:
        tty = sys.stdout.isatty()
        self._console = Console(width=None if tty else show.PLAIN_WIDTH, highlight=False, markup=False)
        self._score, self._status = score, Status("", console=self._console, spinner="dots") if tty else None
        self._denied: dict[tuple[str, str], str] = {}
        self._next_status_at = 0.0
        self._figures = ""

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        if self._status is not None:
            self._status.stop()

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        """Tell what this event brought about."""
        decision = decision_of(event.step) if isinstance(event, StepEnded) else ""
        decision = next((c.audit.decision.id for c in commands if isinstance(c, Record)), decision)
        for line, style in self._told(event, commands):
            self._say(event.at, decision, line, style)
        if isinstance(event, Observed):
            self._show_status(now)

    def differs(self, difference: Difference) -> None:
        """A second policy would have done otherwise."""
        first = ", ".join(titles(difference.only_first)) or "nothing"
        second = ", ".join(titles(difference.only_second)) or "nothing"
        self._say(difference.at, "", f"differs    only this policy: {first}; only the second: {second}", "cyan")

    def _told(self, event: Event, commands: list[Command]) -> Iterator[tuple[str, str]]:
        if isinstance(event, StepEnded) and event.outcome in OUTSIDE:
            yield f"{event.outcome:<10} step {event.step}: {event.reason}", OUTSIDE[event.outcome]
        if isinstance(event, PolicyChanged):
            yield f"policy     {event.policy.name} decides from now on", "bold"
        if isinstance(event, OperatorSaid):
            said = f"{event.word:<10} {event.subject or 'the whole cluster'}"
            yield f"{said}, says {event.who}" + (f": {event.why}" if event.why else ""), "bold"
        for command in commands:
            if isinstance(command, Record):
                self._remember_figures(command.audit)
                yield from self._decision(command.audit)
            elif isinstance(command, Alert):
                yield f"ALERT      {command.reason}", "bold red"

    def _decision(self, audit: AuditRecord) -> Iterator[tuple[str, str]]:
        decision = audit.decision
        if decision.abstained:
            yield from self._once(("", ""), decision.abstained, f"abstained  {decision.abstained}", "yellow")
            return
        wishes = Counter((str(wish.action), show.about(wish.key, wish.reason)) for wish in decision.granted)
        for (action, reason), count in wishes.items():
            yield f"{action:<10} {f'{count} x ' if count > 1 else ''}{reason}", "green"
        for reason in audit.plan.infeasible if audit.plan else ():
            yield f"infeasible {reason}", "red"
        denied = {(str(each.proposal.action), each.proposal.key): each for each in decision.denied}
        self._denied = {key: guard for key, guard in self._denied.items() if key in denied}
        for key, each in denied.items():
            first = each.denials[0]
            yield from self._once(key, first.guard, _refusal(each), "yellow" if first.until is None else "dim")

    def _once(self, key: tuple[str, str], guard: str, line: str, style: str) -> Iterator[tuple[str, str]]:
        if self._denied.get(key) != guard:
            self._denied[key] = guard
            yield line, style

    def _say(self, at: float, decision: str, line: str, style: str) -> None:
        """At most LINES lines, cut with a sign where it would be more. `decision`: what `explain` tells more about."""
        begin = f"{time_text(at)[11:16]} {decision:<{ID_WIDTH}} "
        width = max(LEAST_WIDTH, self._console.width) - len(begin)
        wrapped = textwrap.wrap(line, width, subsequent_indent=" " * 11, max_lines=LINES, placeholder=" ...")
        for number, part in enumerate(wrapped):
            self._console.print(f"{begin if number == 0 else ' ' * len(begin)}{part}", style=style, soft_wrap=True)

    def _remember_figures(self, audit: AuditRecord) -> None:
        inputs = audit.inputs
        self._figures = (
            f"{show.counted(inputs['cloud_vms'], 'cloud VM')}, {show.counted(inputs['app_vms'], 'app VM')}, "
            f"{show.money(inputs['price_per_hour'])}/h"
        )

    def _show_status(self, now: float) -> None:
        score = self._score()
        unserved = "" if score is None else f", {100 * score.demand_unserved_fraction:.3f} % unserved"
        text = f"{show.moment(time_text(now))[:16]}  {self._figures}{unserved}"
        if self._status is not None:
            self._status.update(text)
        elif now >= self._next_status_at:
            self._next_status_at = now + STATUS_EVERY_S
            self._console.print(text, soft_wrap=True)


def _refusal(denied: Denied) -> str:
    first = denied.denials[0]
    return f"denied     {denied.proposal.action} {denied.proposal.key} by {first.guard}: {first.reason}"
