"""The verbs that change or follow one app VM: stop, kill, rm, pause, resume, save, restore, migrate; logs, attach, wait.

Separate from start.py because these find what exists. Following goes on over a migration: where the app VM is now is asked again
whenever a stream ends.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from autoscaler.agent.command.conversation import GoneError
from autoscaler.agent.command.fleet import Fleet, Found, act
from autoscaler.agent.descriptions import Ended, read_app_vm_report
from autoscaler.errors import ActuationError, FlexCapsuleError, UsageError

KILLED, CRASHED, UNKNOWN = 137, 134, 125  # what shells make of SIGKILL and SIGABRT; docker's own for "cannot say"
LEAVE = 0x1D  # Ctrl-], as telnet and xl console have it


def simple(fleet: Fleet, asked: Namespace) -> None:
    """stop, kill, pause, resume, save, restore: one step each; all names are found before the first is acted on."""
    for found in [fleet.find(word) for word in asked.app_vm]:
        request: dict[str, object] = {"kind": asked.verb, "uuid": found.report.spec.uuid}
        if asked.verb == "stop":
            request["patience_s"] = asked.time
        act(found.agent, request)
        print(found.report.spec.name)


def remove(fleet: Fleet, asked: Namespace) -> None:
    every = [fleet.find(word) for word in asked.app_vm]
    alive = [found.report.spec.name for found in every if found.report.ended is None and found.report.state != "saved"]
    if alive and not asked.force:
        raise UsageError(f"still running: {', '.join(alive)}; `stop` first, or `rm -f`")
    for found in every:
        forget(found, kill=asked.force)
        print(found.report.spec.name)


def forget(found: Found, *, kill: bool = False) -> None:
    if kill and found.report.ended is None:
        with suppress(ActuationError):  # it may have ended meanwhile; removing says what is left to say
            act(found.agent, {"kind": "kill", "uuid": found.report.spec.uuid})
    act(found.agent, {"kind": "remove", "uuid": found.report.spec.uuid})


def migrate(fleet: Fleet, asked: Namespace) -> None:
    found = fleet.find(asked.app_vm)
    spec = found.report.spec
    # On a management VM only this agent is known; /etc/hosts there names the others.
    back = fleet.agent(asked.target).back if len(fleet.agents) > 1 else f"{asked.target}.back"
    request = {"kind": "migrate", "uuid": spec.uuid, "target": asked.target, "address": back, "live": asked.live}
    report = act(found.agent, request)
    pause = "" if report.downtime_s is None else f", {report.downtime_s:.3f} s of it paused"
    sent = "" if report.sent_bytes is None else f", {report.sent_bytes / 1e6:.1f} MB"
    print(f"{spec.name}: {found.agent.name} to {asked.target} in {report.total_s or 0:.2f} s{pause}{sent}")


def logs(fleet: Fleet, asked: Namespace) -> None:
    follow(fleet, fleet.find(asked.app_vm), tail=asked.tail, on=asked.follow)


def follow(fleet: Fleet, found: Found, *, tail: str = "all", on: bool = True) -> None:
    """Print its console, with `on` until it ends, wherever it moves meanwhile."""
    wanted = "" if tail == "all" else f"&tail={int(tail)}"
    while True:
        for piece in found.agent.stream(f"{found.path}/logs?follow={int(on)}{wanted}"):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        if not on:
            return
        now = fleet.again(found.report.spec.uuid)
        if now is None or now.report.ended is not None or now.agent == found.agent:
            return
        found, wanted = now, ""


def wait(fleet: Fleet, asked: Namespace) -> int:
    found = fleet.find(asked.app_vm)
    ended = end_of(fleet, found)
    print(f"{found.report.spec.name}: {said(ended)}")
    return status(ended)


def end_of(fleet: Fleet, found: Found) -> Ended:
    """Block until it has ended, wherever it moves meanwhile."""
    while True:
        with suppress(GoneError, ActuationError):
            document = found.agent.ask("GET", f"{found.path}/wait", patience_s=None)
            ended = read_app_vm_report(document).ended
            if ended is not None:
                return ended
        now = fleet.again(found.report.spec.uuid)
        if now is None:
            raise ActuationError(
                f"{found.report.spec.name} is nowhere any more: how it ended is not known", temporary=False
            )
        if now.report.ended is not None:
            return now.report.ended
        found = now


def status(ended: Ended) -> int:
    """An exit status as docker has it: the application's own, 137 where it was killed or out of memory, 134 where it crashed."""
    if ended.status is not None and ended.how in {"exited", "stopped"}:
        return ended.status & 0xFF
    return {"exited": UNKNOWN, "stopped": 0, "crashed": CRASHED}.get(ended.how, KILLED)


def said(ended: Ended) -> str:
    """How it ended and why, in words."""
    return briefly(ended) + (f": {ended.reason}" if ended.reason else "")


def briefly(ended: Ended) -> str:
    words = ended.how.replace("_", " ")
    return words if ended.status is None else f"{words} with status {ended.status}"


def attach(fleet: Fleet, asked: Namespace) -> None:
    """Its console, both ways. Ctrl-] leaves; the app VM goes on."""
    found = fleet.find(asked.app_vm)
    if found.report.ended is not None:
        raise UsageError(f"{found.report.spec.name} has ended ({said(found.report.ended)}); see `logs`")
    troubles: list[FlexCapsuleError] = []

    def show() -> None:
        try:
            follow(fleet, found, tail="10")
        except FlexCapsuleError as error:
            troubles.append(error)

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    with _raw():
        while shown.is_alive():
            if not select.select([sys.stdin], [], [], 0.2)[0]:
                continue
            typed = os.read(sys.stdin.fileno(), 4096)
            before, left, _ = typed.partition(bytes([LEAVE]))
            if before:
                found.agent.post(f"{found.path}/console", before)
            if left or not typed:
                return
    for trouble in troubles:
        raise trouble


@contextmanager
def _raw() -> Iterator[None]:
    """Keys as they are typed, where this is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    print("Ctrl-] leaves.", file=sys.stderr)
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
