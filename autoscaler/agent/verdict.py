"""How an app VM ended, from what was seen of it. Pure: a table that can be read, and tested, as one."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.agent.descriptions import Ended
from autoscaler.agent.hypervisor import Halt

OUT_OF_MEMORY = "out of memory"  # libos says so on the console when it must refuse memory for the first time
PANIC = "panic: "
REASON_LONGEST = 200


def judge(halt: Halt, said: Mapping[str, str], asked: str, console: str, at: float) -> Ended:
    """`said`: what it published; `asked`: "stop" where it was told to end; `console`: the last it said there."""
    status = _status(said)
    panic = _last_line(console, PANIC)
    starved = _last_line(console, OUT_OF_MEMORY)
    if halt in (Halt.CRASH, Halt.WATCHDOG):
        if starved or panic.startswith("no memory"):
            return Ended("out_of_memory", at, status, starved or panic)
        return Ended("crashed", at, status, panic or f"it crashed without a word ({halt})")
    if starved and status not in (0, None):
        return Ended("out_of_memory", at, status, starved)
    if asked == "stop":
        return Ended("stopped", at, status)
    return Ended(
        "exited", at, status, "it asked for a restart, which is a new start here" if halt is Halt.REBOOT else ""
    )


def _status(said: Mapping[str, str]) -> int | None:
    text = said.get("exit-status", "").strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else None


def _last_line(console: str, words: str) -> str:
    """What follows `words` at the beginning of the last line that begins so; for the words themselves, the line."""
    for line in reversed(console.splitlines()):
        if line.startswith(words):
            return line.removeprefix(PANIC)[:REASON_LONGEST].rstrip()
    return ""
