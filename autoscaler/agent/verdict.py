"""How an app VM ended, from what was seen of it. Pure: a table that can be read, and tested, as one."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.agent.descriptions import Ended
from autoscaler.agent.hypervisor import Halt

OUT_OF_MEMORY = "out of memory"  # libos says so on the console when it must refuse memory for the first time
PANIC = "panic: "
REASON_LONGEST = 200
KILLED_STATUS = 137  # 128 + SIGKILL, as shells have it


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


def judge_gone(asked: str, *, same_boot: bool, at: float) -> Ended:
    """Of one that is not there any more, and left no last word."""
    if not same_boot:
        return Ended("lost", at, None, "the cloud VM was restarted")
    return Ended("killed", at, KILLED_STATUS, "" if asked == "kill" else "destroyed past the agent")


def _status(said: Mapping[str, str]) -> int | None:
    text = said.get("exit-status", "").strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else None


def _last_line(console: str, words: str) -> str:
    """What follows `words` at the beginning of the last line that begins so; for the words themselves, the line."""
    for line in reversed(console.splitlines()):
        if line.startswith(words):
            return line.removeprefix(PANIC)[:REASON_LONGEST].rstrip()
    return ""
