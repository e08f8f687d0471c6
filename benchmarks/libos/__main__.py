"""FlexCapsule OS against the Linux app VM, in one run: image size, start to first answer, idle CPU, moves against memory size.

`python -m benchmarks.libos [--memory-mib 16,64] [--runs 5] [--lab NAME] [--out FILE.json] [--table FILE.md] [--plot FILE.svg]` builds
the library OS, boots a lab of its own (root) unless one is named, and takes turns: one start and one move of each kind and size per
round, so that a busy spell of the machine falls on all. FlexCapsule OS runs `pulse` with 8 MiB in use whatever its memory; Linux
its echo. `start_s` runs from the word to unpause to the first answer, `build_s` is the toolstack's time before that. Under emulation
the figures compare the two guests with each other and nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from autoscaler.lab import accelerator, bringup, image, record, teardown, transfer
from autoscaler.lab.heartbeat import Watch, heard
from autoscaler.lab.record import Record
from benchmarks.libos.guests import HTTP, LIBOS, Guest, cpu_s, started, stripped
from benchmarks.migration.drawing import drawing
from benchmarks.result import result, write

NAME = "benchos"
CLOUD_VM_MIB = 896
SETTLE_S = 2.5  # free pages are hidden once a second
IDLE_S = 20.0
LEAST_LINUX_MIB = 96  # the Linux app VM does not start in less
KEPT_MIB = 6  # with pulse's own 2 MiB: 8 in use
MEASURES = ("build_s", "start_s", "total_s", "gap_s", "wire_bytes")
PROGRAMS = ("hello", "pulse", "httpd", "lua", "sqlite")


def image_bytes(program: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        content = stripped(program, Path(folder)).read_bytes()
    return {"image_bytes": len(content), "image_gzip_bytes": len(gzip.compress(content, 9))}


def moved(lab: Record, guest: Guest) -> dict[str, Any]:
    """One start and one move of a fresh app VM."""
    with started(lab, guest) as running:
        with Watch(running.address) as watch:
            time.sleep(SETTLE_S)
            took = transfer.migrate(lab, running.name, "cv1", "cv2")
        noticed = heard(watch.arrivals)
    return {
        "guest": guest.kind,
        "memory_mib": guest.memory_mib,
        "build_s": running.build_s,
        "start_s": running.start_s,
        "total_s": took.total_s,
        "gap_s": noticed.largest_gap_s,
        "wire_bytes": took.wire_bytes,
        "lost": noticed.lost,
        "connection": watch.connection,
        "load_average": os.getloadavg()[0],
    }


def served(lab: Record) -> dict[str, Any]:
    """httpd in 8 MiB: start to its first HTTP answer, and the CPU it takes while nobody asks."""
    with started(lab, Guest("httpd", 8, "httpd", talk=HTTP)) as running:
        before, since = cpu_s(lab, running.name), time.monotonic()
        time.sleep(IDLE_S)
        idle = (cpu_s(lab, running.name) - before) / (time.monotonic() - since)
    row = {"guest": "httpd", "memory_mib": 8, "build_s": running.build_s, "start_s": running.start_s}
    return {**row, "idle_cpu_fraction": idle}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, with least and most, of the runs of one kind and size."""
    row: dict[str, Any] = {"guest": runs[0]["guest"], "memory_mib": runs[0]["memory_mib"], "runs": len(runs)}
    for name in (*MEASURES, "idle_cpu_fraction"):
        if values := [run[name] for run in runs if name in run]:
            row[name] = statistics.median(values)
            row[f"{name}_spread"] = [min(values), max(values)]
    if "connection" in runs[0]:
        row["connections_intact"] = sum(run["connection"] == "intact" for run in runs)
    return {**row, "each": runs}


def summaries(each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = sorted({(run["guest"], run["memory_mib"]) for run in each})
    return [summary([run for run in each if (run["guest"], run["memory_mib"]) == key]) for key in keys]


def table(rows: list[dict[str, Any]]) -> str:
    head = (
        "| guest | memory | build | start to first answer | move, total | largest gap | on the wire | intact |\n"
        "|--|--:|--:|--:|--:|--:|--:|--:|\n"
    )

    def cell(row: dict[str, Any], name: str) -> str:
        if name not in row:
            return "-"
        return f"{row[name]:.2f} ({row[f'{name}_spread'][0]:.2f} to {row[f'{name}_spread'][1]:.2f}) s"

    lines = []
    for row in rows:
        cells = " | ".join(cell(row, name) for name in MEASURES[:-1])
        wire = f"{row['wire_bytes'] / 1e6:.1f} MB" if "wire_bytes" in row else "-"
        intact = f"{row['connections_intact']} of {row['runs']}" if "connections_intact" in row else "-"
        lines.append(f"| {row['guest']} | {row['memory_mib']} MiB | {cells} | {wire} | {intact} |\n")
    return head + "".join(lines)


def images_table(images: list[dict[str, Any]]) -> str:
    lines = [
        f"| {i['program']} | {i['image_bytes'] / 1e3:.0f} kB | {i['image_gzip_bytes'] / 1e3:.0f} kB |\n" for i in images
    ]
    return "| program | image | compressed |\n|--|--:|--:|\n" + "".join(lines)


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """What the run says: Linux against FlexCapsule OS, and the largest size against the smallest."""
    by_key = {(row["guest"], row["memory_mib"]): row for row in rows}
    ours = [row for row in rows if row["guest"] == "flexcapsule"]
    linux = [row for row in rows if row["guest"] == "linux"]
    found = {"total_largest_to_smallest": ours[-1]["total_s"] / ours[0]["total_s"]}
    found["gap_largest_to_smallest"] = ours[-1]["gap_s"] / ours[0]["gap_s"]
    found["idle_cpu_fraction"] = by_key["httpd", 8]["idle_cpu_fraction"]
    if linux:
        gaps = [statistics.median(run["gap_s"] for row in kind for run in row["each"]) for kind in (linux, ours)]
        found["linux_to_ours_gap"] = gaps[0] / gaps[1]
        found["linux_to_httpd_start"] = linux[0]["start_s"] / by_key["httpd", 8]["start_s"]
        whole = [row["start_s"] + row["build_s"] for row in (linux[0], by_key["httpd", 8])]
        found["linux_to_httpd_build_and_start"] = whole[0] / whole[1]
        found["linux_total_largest_to_smallest"] = linux[-1]["total_s"] / linux[0]["total_s"]
    return found


def measure(lab: Record, sizes: list[int], runs: int) -> list[dict[str, Any]]:
    ours = [Guest("flexcapsule", size, "pulse", f"7 5 {KEPT_MIB}") for size in sizes]
    linux = [Guest("linux", size) for size in (LEAST_LINUX_MIB, *sizes) if size >= LEAST_LINUX_MIB]
    each: list[dict[str, Any]] = []
    for number in range(runs):
        each.append(served(lab))
        say(number, runs, each[-1])
        for guest in (*ours, *linux):
            each.append(moved(lab, guest))
            say(number, runs, each[-1])
    return summaries(each)


def say(number: int, runs: int, run: dict[str, Any]) -> None:
    shown = {name: round(run[name], 2) for name in (*MEASURES, "idle_cpu_fraction", "load_average") if name in run}
    print(f"run {number + 1} of {runs}, {run['guest']} {run['memory_mib']} MiB: {shown}", flush=True)


def in_own_lab(sizes: list[int], runs: int) -> list[dict[str, Any]]:
    built = image.ensure(print)
    chosen = accelerator.choose("auto", built, print)
    try:
        shapes = bringup.shapes(2, 1, CLOUD_VM_MIB)
        lab = bringup.up(NAME, shapes, built=built, accelerator=chosen, follow=lambda _: None, patience_s=300)
        return measure(lab, sizes, runs)
    finally:
        teardown.down(NAME, say=print)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.libos", description=__doc__)
    parser.add_argument("--memory-mib", default="16,32,64,128,256", help="of the app VM, comma-separated, at least 16")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lab", help="a lab that is up already")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--table", type=Path, help="write the tables as Markdown")
    parser.add_argument("--plot", type=Path, help="write a drawing as SVG")
    told = parser.parse_args()
    subprocess.run(["make", "-C", str(LIBOS)], check=True, stdout=subprocess.DEVNULL)
    images = [{"guest": "flexcapsule", "program": name, **image_bytes(name)} for name in PROGRAMS]
    sizes = sorted(int(size) for size in told.memory_mib.split(","))
    rows = measure(record.existing(told.lab), sizes, told.runs) if told.lab else in_own_lab(sizes, told.runs)
    tables = f"{images_table(images)}\n{table(rows)}"
    print(tables)
    found = ratios(rows)
    print("\n".join(f"{name}: {value:.3g}" for name, value in found.items()))
    conditions = {
        "emulated": True,
        "cloud_vms": f"2 of 1 core and {CLOUD_VM_MIB} MiB",
        "beat_interval_s": 0.005,
        "hotplug_script": "vif-fast",
        "in_use_mib": KEPT_MIB + 2,
    }
    if told.out:
        write(result("libos", 0, conditions, [*rows, *images, {"guest": "ratios", **found}]), told.out)
    if told.table:
        told.table.write_text(tables, encoding="utf-8")
    if told.plot:
        drawn = [row for row in rows if row["guest"] in ("flexcapsule", "linux")]
        told.plot.write_text(drawing(drawn, "software emulation (QEMU TCG)"), encoding="utf-8")


if __name__ == "__main__":
    main()
