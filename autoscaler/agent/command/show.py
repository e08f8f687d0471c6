"""What app VMs there are, in columns: ps, top, inspect. Printing only. No rich here: a management VM has none."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from autoscaler.agent.command import acts
from autoscaler.agent.command.fleet import Fleet, Found
from autoscaler.agent.wire import plain

SHORT = 12  # of a UUID
MIB = 1 << 20
HEAD = ("NAME", "UUID", "IMAGE", "STATUS", "CLOUD VM", "ADDRESS")
WIDE = ("SERVICE", "CPU S", "USED MIB", "MIB", "LOAD", "MOVES", "ARGUMENTS")


def listed(fleet: Fleet, asked: Namespace) -> None:
    """`ps`: those that run, or with -a all."""
    every = [each for each in fleet.app_vms() if asked.all or each.report.ended is None]
    if asked.output == "json":
        print(json.dumps([document(each) for each in every], indent=1))
    elif asked.quiet:
        for each in every:
            print(each.report.spec.uuid)
    else:
        wide = asked.output == "wide"
        columns([HEAD + (WIDE if wide else ()), *(_row(each) + (_wide(each) if wide else ()) for each in every)])


def document(found: Found) -> dict[str, object]:
    return {"cloud_vm": found.agent.name, **plain(found.report)}


def inspected(fleet: Fleet, asked: Namespace) -> None:
    print(json.dumps([document(fleet.find(word)) for word in asked.app_vm], indent=1))


def top(fleet: Fleet, asked: Namespace) -> None:
    """CPU between two looks, which are the agents' own samples; the first look shows averages since the start."""
    before: dict[str, tuple[float, float]] = {}
    shown = 0
    while True:
        now, every = time.monotonic(), [each for each in fleet.app_vms() if each.report.ended is None]
        if shown and sys.stdout.isatty():
            print("\x1b[H\x1b[J", end="")
        head = ("NAME", "CLOUD VM", "STATUS", "CPU %", "USED MIB", "MIB", "LOAD %", "RECEIVED MB", "SENT MB")
        columns([head, *(_load(each, now, before.get(each.report.spec.uuid)) for each in every)])
        before = {each.report.spec.uuid: (now, each.report.cpu_s) for each in every}
        shown += 1
        if asked.count and shown >= asked.count:
            return
        time.sleep(asked.delay)


def columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(found: Found) -> tuple[str, ...]:
    spec = found.report.spec
    address = spec.address.split("/", maxsplit=1)[0] or "by DHCP"
    return (spec.name, spec.uuid[:SHORT], spec.image[:SHORT], _status(found), found.agent.name, address)


def _status(found: Found) -> str:
    if found.report.ended is not None:
        return acts.briefly(found.report.ended)
    return found.report.state.replace("_", " ")


def _wide(found: Found) -> tuple[str, ...]:
    report = found.report
    used, allocated = report.memory_used_bytes / MIB, report.memory_allocated_bytes / MIB
    figures = (f"{report.cpu_s:.2f}", f"{used:.1f}", f"{allocated:.0f}", f"{report.load:.2f}", str(report.moves))
    return (report.spec.service or "-", *figures, " ".join(report.spec.arguments) or "-")


def _load(found: Found, now: float, before: tuple[float, float] | None) -> tuple[str, ...]:
    report = found.report
    share = "-"
    if before is not None and now > before[0] and report.cpu_s >= before[1]:  # a counter begins anew after a move
        share = f"{100 * (report.cpu_s - before[1]) / (now - before[0]):.1f}"
    used, allocated = f"{report.memory_used_bytes / MIB:.1f}", f"{report.memory_allocated_bytes / MIB:.0f}"
    network = (f"{report.received_bytes / 1e6:.2f}", f"{report.sent_bytes / 1e6:.2f}")
    return (
        report.spec.name,
        found.agent.name,
        report.state,
        share,
        used,
        allocated,
        f"{100 * report.load:.0f}",
        *network,
    )
