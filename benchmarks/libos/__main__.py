"""FlexCapsule OS against the Linux app VM, in one run: image size, start to first answer, and moves against memory size.

`python -m benchmarks.libos [--memory-mib 16,64,128] [--runs 3] [--lab NAME] [--out FILE.json] [--table FILE.md]` builds the library
OS, boots a lab of its own (root) unless one is named, and takes turns: one start and one move of each kind and size per round, so
that a busy spell of the machine falls on all. `start_s` runs from the word to unpause to the first TCP connection answered; the
domain was built before. Under emulation the figures compare the two guests with each other and nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autoscaler.errors import ActuationError
from autoscaler.lab import accelerator, bringup, image, reach, record, teardown, transfer
from autoscaler.lab.heartbeat import Watch, heard
from autoscaler.lab.record import Record
from benchmarks.result import ROOT, result, write

LIBOS = ROOT / "libos"
NAME = "benchos"
MEMORY_MIB = 768
ADDRESS = 170  # on the front network
SETTLE_S = 2.5  # free pages are hidden once a second
ANSWER_LONGEST_S = 120.0
LEAST_LINUX_MIB = 96  # the Linux app VM does not start in less
MEASURES = ("start_s", "total_s", "gap_s", "wire_bytes")


def image_bytes(program: str) -> dict[str, int]:
    stripped = subprocess.run(
        ["strip", "-o", "/dev/stdout", LIBOS / f"build/{program}.elf"], capture_output=True, check=True
    ).stdout
    return {"image_bytes": len(stripped), "image_gzip_bytes": len(gzip.compress(stripped, 9))}


def create(lab: Record, kind: str, memory_mib: int, address: str) -> str:
    """A paused app VM; returns its name."""
    if kind == "linux":
        extra = f"console=hvc0 quiet app.ip={address}/24"
        reach.said(
            lab, "cv1", f"""xl create -p -q /srv/guests/linux/linux.cfg 'memory={memory_mib}' 'extra="{extra}"'"""
        )
        return "linux"
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder, "pulse.elf")
        subprocess.run(["strip", "-o", stripped, LIBOS / "build/pulse.elf"], check=True)
        reach.copy(lab, "cv1", [stripped], "/root/pulse.elf")
    lines = (
        'name="pulse"',
        'type="pv"',
        'kernel="/root/pulse.elf"',
        f"memory={memory_mib}",
        f'extra="ip={address}/24"',
        'vif=["bridge=xenbr0,script=vif-fast"]',
    )
    words = " ".join(f"'{line}'" for line in lines)
    reach.said(lab, "cv1", f"printf '%s\\n' {words} > /root/pulse.cfg; xl create -p -q /root/pulse.cfg")
    return "pulse"


@contextmanager
def started(lab: Record, kind: str, memory_mib: int) -> Iterator[tuple[str, str, float]]:
    """(name, address, seconds from unpause to the first answer); gone afterwards, wherever it is then."""
    address = lab.layout.front(ADDRESS)
    name = create(lab, kind, memory_mib, address)
    try:
        argv = reach.ssh_argv(lab, "cv1", [f"echo begin; xl unpause {name}; sleep 1"])
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
            assert running.stdout is not None
            running.stdout.readline()
            took = answered(address)
        yield name, address, took
    finally:
        for shape in lab.cloud_vms:
            with suppress(ActuationError):
                reach.said(lab, shape.name, f"xl destroy {name} 2>/dev/null; true")


def answered(address: str) -> float:
    since = time.monotonic()
    while time.monotonic() - since < ANSWER_LONGEST_S:
        with suppress(OSError), socket.create_connection((address, 7), timeout=0.2) as talk:
            talk.settimeout(5)
            talk.sendall(b"hello\n")
            if talk.recv(6) == b"hello\n":
                return time.monotonic() - since
        time.sleep(0.01)
    raise ActuationError(f"{address} did not answer within {ANSWER_LONGEST_S:g} s of its start", temporary=True)


def one(lab: Record, kind: str, memory_mib: int) -> dict[str, Any]:
    with started(lab, kind, memory_mib) as (name, address, start_s):
        with Watch(address) as watch:
            time.sleep(SETTLE_S)
            moved = transfer.migrate(lab, name, "cv1", "cv2")
        noticed = heard(watch.arrivals)
    return {
        "guest": kind,
        "memory_mib": memory_mib,
        "start_s": start_s,
        "total_s": moved.total_s,
        "gap_s": noticed.largest_gap_s,
        "wire_bytes": moved.wire_bytes,
        "lost": noticed.lost,
        "connection": watch.connection,
        "load_average": os.getloadavg()[0],
    }


def summaries(each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for kind, size in sorted({(run["guest"], run["memory_mib"]) for run in each}):
        runs = [run for run in each if (run["guest"], run["memory_mib"]) == (kind, size)]
        row: dict[str, Any] = {"guest": kind, "memory_mib": size, "runs": len(runs)}
        for name in MEASURES:
            row[name] = statistics.median(run[name] for run in runs)
            row[f"{name}_spread"] = [min(run[name] for run in runs), max(run[name] for run in runs)]
        row["connections_intact"] = sum(run["connection"] == "intact" for run in runs)
        rows.append({**row, "each": runs})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    head = "| guest | memory | start to first answer | move, total | largest gap | on the wire | intact |\n|--|--:|--:|--:|--:|--:|--:|\n"

    def cell(row: dict[str, Any], name: str) -> str:
        return f"{row[name]:.2f} ({row[f'{name}_spread'][0]:.2f} to {row[f'{name}_spread'][1]:.2f}) s"

    return head + "".join(
        f"| {row['guest']} | {row['memory_mib']} MiB | {cell(row, 'start_s')} | {cell(row, 'total_s')} | {cell(row, 'gap_s')} "
        f"| {row['wire_bytes'] / 1e6:.1f} MB | {row['connections_intact']} of {row['runs']} |\n"
        for row in rows
    )


def measure(lab: Record, sizes: list[int], runs: int) -> list[dict[str, Any]]:
    each: list[dict[str, Any]] = []
    for number in range(runs):
        for kind in ("flexcapsule", "linux"):
            for size in sizes:
                if kind == "linux" and size < LEAST_LINUX_MIB:
                    continue
                each.append(one(lab, kind, size))
                shown = {name: round(each[-1][name], 2) for name in (*MEASURES, "load_average")}
                print(f"run {number + 1} of {runs}, {kind} {size} MiB: {shown}", flush=True)
    return summaries(each)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.libos", description=__doc__)
    parser.add_argument("--memory-mib", default="16,64,128", help="of the app VM, comma-separated")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lab", help="a lab that is up already")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--table", type=Path, help="write the table as Markdown")
    told = parser.parse_args()
    subprocess.run(["make", "-C", str(LIBOS)], check=True, stdout=subprocess.DEVNULL)
    sizes = [int(size) for size in told.memory_mib.split(",")]
    if told.lab:
        rows = measure(record.existing(told.lab), sizes, told.runs)
    else:
        built = image.ensure(print)
        chosen = accelerator.choose("auto", built, print)
        try:
            lab = bringup.up(
                NAME,
                bringup.shapes(2, 1, MEMORY_MIB),
                built=built,
                accelerator=chosen,
                follow=lambda _: None,
                patience_s=300,
            )
            rows = measure(lab, sizes, told.runs)
        finally:
            teardown.down(NAME, say=print)
    images = [
        {"guest": "flexcapsule", "program": name, **image_bytes(name)}
        for name in ("hello", "pulse", "httpd", "lua", "sqlite")
    ]
    conditions = {"emulated": True, "cloud_vms": "2 of 1 core", "beat_interval_s": 0.005, "hotplug_script": "vif-fast"}
    print(table(rows))
    if told.out:
        write(result("libos", 0, conditions, [*rows, *images]), told.out)
    if told.table:
        told.table.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
