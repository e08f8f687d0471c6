"""Live migration of the Linux app VM between two cloud VMs of a lab, against its memory: total time, largest gap, bytes, phases.

`python -m benchmarks.migration [--memory-mib 96,128] [--runs 5] [--out FILE.json] [--plot FILE.svg] [--table FILE.md]` boots a lab
of its own (root) and removes it. The app VM beats every 5 ms; the gap is the longest silence at the host. Sizes take turns, one
migration each per round, so that a busy spell of the machine falls on all of them; every migration starts from a fresh app VM.
Compare figures within one run only: under emulation they say how times grow and where they go, not how long hardware takes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
from pathlib import Path
from typing import Any

from autoscaler.lab import accelerator, bringup, image, teardown, trip
from autoscaler.lab.record import Record
from benchmarks.migration.drawing import drawing
from benchmarks.result import result, write

NAME = "bench"
MEMORY_MIB = 896  # of a cloud VM: 256 MiB for the largest app VM, twice, beside the management VM
# A phase is the time from one mark of the toolstack's to the next (autoscaler/lab/transfer.py).
PHASES = {
    "start_s": ("begin", "stream"),
    "precopy_s": ("stream", "suspend asked"),
    "suspend_s": ("suspend asked", "suspended"),
    "lastcopy_and_restore_s": ("suspended", "acknowledged"),
    "handover_s": ("acknowledged", "started"),
    "cleanup_s": ("started", "done"),
}
MEASURES = ("total_s", "gap_s", "wire_bytes", "lost", "sent", *PHASES)


def one(lab: Record, memory_mib: int) -> dict[str, Any]:
    """One migration from cv1 to cv2 of a fresh app VM."""
    with trip.linux(lab, memory_mib=memory_mib):
        moved = trip.move(lab, "cv1", "cv2")
    phases = {
        name: moved.marks[end] - moved.marks[start]
        for name, (start, end) in PHASES.items()
        if start in moved.marks and end in moved.marks
    }
    measured = {name: getattr(moved, name) for name in ("total_s", "gap_s", "wire_bytes", "lost", "sent", "connection")}
    return {"memory_mib": memory_mib, **measured, **phases, "load_average": os.getloadavg()[0]}


def row(memory_mib: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, with least and most, of one size."""
    summary: dict[str, Any] = {"memory_mib": memory_mib, "runs": len(runs)}
    for name in MEASURES:
        values = [run[name] for run in runs if name in run]
        if values:
            summary[name] = statistics.median(values)
            summary[f"{name}_spread"] = [min(values), max(values)]
    summary["connections_intact"] = sum(run["connection"] == trip.INTACT for run in runs)
    summary["each"] = runs
    return summary


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: median (least to most)."""
    head = "| app VM | total time | largest gap | beats lost | on the wire | pre-copy | suspended to acknowledged | intact |\n"
    lines = (
        f"| {r['memory_mib']} MiB | {_spread(r, 'total_s')} s | {_spread(r, 'gap_s')} s | {r['lost']:g} of {r['sent']:g} "
        f"| {r['wire_bytes'] / 1e6:.0f} MB | {_spread(r, 'precopy_s')} s | {_spread(r, 'lastcopy_and_restore_s')} s "
        f"| {r['connections_intact']} of {r['runs']} |\n"
        for r in rows
    )
    return head + "|" + "--:|" * 8 + "\n" + "".join(lines)


def _spread(summary: dict[str, Any], name: str) -> str:
    if name not in summary:
        return "-"
    least, most = summary[f"{name}_spread"]
    return f"{summary[name]:.2f} ({least:.2f} to {most:.2f})"


def measure(sizes: list[int], runs: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    built = image.ensure(print)
    chosen = accelerator.choose("auto", built, print)
    shapes = bringup.shapes(2, 1, MEMORY_MIB)
    each: list[dict[str, Any]] = []
    try:
        lab = bringup.up(NAME, shapes, built=built, accelerator=chosen, follow=lambda _: None, patience_s=300)
        for number in range(runs):
            for memory_mib in sizes:
                each.append(one(lab, memory_mib))
                shown = {name: round(each[-1][name], 2) for name in ("total_s", "gap_s", "load_average")}
                print(f"run {number + 1} of {runs}, {memory_mib} MiB: {shown}", flush=True)
    except KeyboardInterrupt:
        print("interrupted: reporting what there is")
    finally:
        teardown.down(NAME, say=print)
    manifest = json.loads((built / "manifest.json").read_text())
    conditions = {
        "accelerator": "software emulation (QEMU TCG)" if chosen == "tcg" else "KVM",
        "app_vm": "Linux, idle but for its beat",
        "beat_interval_s": 0.005,
        "cloud_vms": f"2, of 1 core and {MEMORY_MIB} MiB",
        "toolstack": "xl -vvv migrate over socat",
        "hotplug_script": "vif-fast",
        "hypervisor": manifest["hypervisor"],
        "kernel": next(name for name in manifest["packages"] if name.startswith("linux-image") and "cloud" in name),
    }
    by_size = {size: [run for run in each if run["memory_mib"] == size] for size in sizes}
    return [row(size, found) for size, found in by_size.items() if found], conditions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migration", description=__doc__)
    parser.add_argument("--memory-mib", default="96,128,192,256", help="of the app VM, comma-separated")
    parser.add_argument("--runs", type=int, default=5, help="migrations of each size")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--plot", type=Path, help="write a drawing as SVG")
    parser.add_argument("--table", type=Path, help="write the table as Markdown")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: what there is gets reported
    rows, conditions = measure([int(size) for size in told.memory_mib.split(",")], told.runs)
    print(table(rows))
    if told.out:
        write(result("migration", 0, conditions, rows), told.out)
    if told.plot:
        told.plot.write_text(drawing(rows, conditions["accelerator"]), encoding="utf-8")
    if told.table:
        told.table.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
