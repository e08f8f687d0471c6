"""What a person sees while it runs: one screen on a terminal, lines elsewhere. Drawing only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmarks.live.client import Answered
from benchmarks.live.story import Story

BAR = 30
SHOWN = 10
LINE_EVERY_S = 30.0
RECENT_S = 10.0


@dataclass(frozen=True, slots=True)
class Scenery:
    """One moment."""

    at_s: float
    length_s: float
    phase: str
    wanted: dict[str, float]
    answered: Sequence[Answered]
    under_way: int
    story: Story
    began: float


@dataclass(slots=True)
class View:
    """Feed it moments."""

    console: Console = field(default_factory=Console)
    _live: Live | None = None
    _told: int = 0
    _line_at: float = -LINE_EVERY_S

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        self.console.print(f"demo-live: {text}", markup=False, highlight=False, soft_wrap=True)

    def show(self, now: Scenery) -> None:
        if self._live is not None:
            self._live.update(_screen(now))
            return
        for each in now.story.done[self._told :]:
            self.say(f"{each.at - now.began:5.0f} s  {each.action:<11} {each.about}: {each.reason}")
        self._told = len(now.story.done)
        if now.at_s - self._line_at >= LINE_EVERY_S:
            self._line_at = now.at_s
            self.say(f"{now.at_s:5.0f} s  {_sentence(now)}")


def _sentence(now: Scenery) -> str:
    wanted = ", ".join(f"{name} {cores:.2f}" for name, cores in now.wanted.items())
    failed = sum(bool(each.failure) for each in now.answered)
    newest = now.story.ticks[-1] if now.story.ticks else None
    cluster = (
        f"{newest.cloud_vms} cloud VMs, {newest.app_vms} app VMs, {newest.price_per_hour:.2f}/h" if newest else "-"
    )
    return f"{now.phase}: cores asked for: {wanted}; {cluster}; {len(now.answered)} requests, {failed} failed"


def _screen(now: Scenery) -> Group:
    recent = [each for each in now.answered[-2000:] if each.at_s > now.at_s - RECENT_S]
    failed = sum(bool(each.failure) for each in now.answered)
    head = Table.grid(padding=(0, 2))
    head.add_row(
        f"{now.at_s:.0f} of {now.length_s:.0f} s", now.phase, f"{len(now.answered)} requests", f"{failed} failed"
    )
    for name, cores in now.wanted.items():
        mine = [each for each in recent if each.service == name]
        longest = max((each.took_s for each in mine), default=0.0)
        head.add_row(name, "█" * round(BAR * cores), f"{len(mine) / RECENT_S:.0f}/s", f"longest wait {longest:.2f} s")
    if now.story.ticks:
        newest = now.story.ticks[-1]
        sizes = f"{newest.cloud_vms} cloud VMs, {newest.app_vms} app VMs"
        head.add_row("cluster", sizes, f"{newest.price_per_hour:.2f} per hour", f"{len(now.story.moved)} migrations")
    actions = Table("s", "action", "about", "why", "outcome", box=None, expand=True)
    for each in now.story.done[-SHOWN:]:
        outcome = each.outcome if len(each.outcome) < 30 else each.outcome[:29] + "…"
        actions.add_row(
            f"{each.at - now.began:.0f}",
            each.action,
            each.about,
            Text(each.reason, overflow="ellipsis", no_wrap=True),
            outcome,
        )
    return Group(head, Text(), actions)
