"""Handovers between two agents beside the toolstack's own `xl migrate` of the same guest, in turns, in one lab of its own (root).

`python -m benchmarks.handover [--memory-mib 16,64,256] [--runs 20] [--kept-mib 0] [--out FILE.json] [--table FILE.md]`: pulse of FlexCapsule OS
beats every 5 ms; the gap is the longest silence at the host. `--kept-mib` is memory that it has written and keeps: equal for all sizes.
The machine should be quiet: under emulation on two cores every other process lengthens the pause. Compare within one run only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from autoscaler import keys
from autoscaler.lab import accelerator, bringup, image, reach, teardown, transfer
from autoscaler.lab.heartbeat import Watch, heard
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import Record
from benchmarks.result import result, write

NAME = "benchhand"
MEMORY_MIB = 960  # of a cloud VM: an app VM of 256 MiB twice, beside the management VM
LIBOS = Path(__file__).resolve().parents[2] / "libos"
PATIENCE_S, POLL_S, SETTLE_S = 300.0, 0.1, 2.0
TICK_S = 2.0  # a controller asks how a step is doing once a tick; each question takes time from the agent that it asks
WAYS = ("agents", "xl migrate")
MEASURES = ("gap_s", "total_s", "downtime_s", "wire_bytes", "lost")


class Agents:
    """The two agents' APIs, as the controller calls them."""

    def __init__(self, lab: Record) -> None:
        self.lab = lab
        context = keys.context(lab.layout.keys)
        self._clients = {
            name: httpx.Client(
                verify=context,
                base_url=f"https://{lab.layout.front(ordinal(name))}:8650",
                timeout=60.0,
                trust_env=False,
            )
            for name in ("cv1", "cv2")
        }
        for name in self._clients:
            self._await(name)

    def _await(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if self._clients[name].get("/v1/host").status_code == 200:
                    return
            time.sleep(POLL_S)
        raise SystemExit(f"the agent on {name} does not answer")

    def push(self, program: bytes) -> str:
        digest = hashlib.sha256(program).hexdigest()
        self._clients["cv1"].put(f"/v1/images/{digest}", content=program).raise_for_status()
        return digest

    def step(self, name: str, **request: Any) -> dict[str, Any]:
        step, client = f"bench:{uuid.uuid4()}", self._clients[name]
        client.put(f"/v1/steps/{step}", json=request).raise_for_status()
        while (found := client.get(f"/v1/steps/{step}").json())["outcome"] == "running":
            time.sleep(TICK_S if request["kind"] == "migrate" else POLL_S)
        if found["outcome"] != "done":
            raise SystemExit(f"{request['kind']} on {name}: {found['reason']}")
        return dict(found)


@contextmanager
def pulse(agents: Agents, way: str, program: Path, memory_mib: int, kept_mib: int) -> Iterator[tuple[str, str]]:
    """(how to name it, its address): a fresh one on cv1, gone afterwards wherever it is."""
    lab, address, arguments = agents.lab, agents.lab.layout.front(150), ["7", "5", str(kept_mib)]
    if way == "agents":
        app_vm = str(uuid.uuid4())
        spec = {
            "uuid": app_vm, "name": "pulse", "image": agents.push(program.read_bytes()), "memory_bytes": memory_mib << 20,
            "address": f"{address}/24", "arguments": arguments,
        }  # fmt: skip
        agents.step("cv1", kind="start", spec=spec)
        try:
            yield app_vm, address
        finally:
            for name in ("cv1", "cv2"):
                for kind in ("kill", "remove"):
                    with suppress(SystemExit, httpx.HTTPError):
                        agents.step(name, kind=kind, uuid=app_vm)
        return
    config = (
        f'name="bare"\ntype="pv"\nkernel="/root/{program.name}"\nmemory={memory_mib}\n'
        f"extra='ip={address}/24 -- {' '.join(arguments)}'\nvif=[\"bridge=xenbr0,script=vif-fast\"]\n"
    )
    reach.said(lab, "cv1", f"cat > /root/bare.cfg <<'X'\n{config}X\nxl create -e -q /root/bare.cfg")
    try:
        yield "bare", address
    finally:
        for name in ("cv1", "cv2"):
            reach.said(lab, name, "xl destroy bare 2>/dev/null; true", check=False)


def one(agents: Agents, way: str, program: Path, memory_mib: int, kept_mib: int) -> dict[str, Any]:
    with pulse(agents, way, program, memory_mib, kept_mib) as (name, address):
        time.sleep(SETTLE_S + memory_mib / 64)  # free pages are hidden once a second
        with Watch(address) as watch:
            time.sleep(SETTLE_S)
            if way == "agents":
                target = agents.lab.layout.back(2)
                step = agents.step("cv1", kind="migrate", uuid=name, target="cv2", address=target)
                measured = {
                    "total_s": step["total_s"], "downtime_s": step["downtime_s"], "wire_bytes": step["sent_bytes"],
                    "phases": step["phases"],
                }  # fmt: skip
            else:
                moved = transfer.migrate(agents.lab, name, "cv1", "cv2")
                measured = {"total_s": moved.total_s, "wire_bytes": moved.wire_bytes}
        beats = heard(watch.arrivals)
    return {
        "way": way, "memory_mib": memory_mib, "gap_s": beats.largest_gap_s, "lost": beats.lost,
        "connection": watch.connection, "load_average": os.getloadavg()[0], **measured,
    }  # fmt: skip


def row(way: str, memory_mib: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, with least and most."""
    summary: dict[str, Any] = {"way": way, "memory_mib": memory_mib, "runs": len(runs)}
    for name in MEASURES:
        values = [run[name] for run in runs if run.get(name) is not None]
        if values:
            summary[name], summary[f"{name}_spread"] = statistics.median(values), [min(values), max(values)]
    phases = [run["phases"] for run in runs if "phases" in run]
    summary["phases"] = {
        name: statistics.median(each[name] for each in phases)
        for name in (phases[0] if phases else ())
        if all(name in p for p in phases)
    }
    return summary | {"intact": sum(run["connection"] == "intact" for run in runs), "each": runs}


def table(rows: list[dict[str, Any]]) -> str:
    head = "| app VM | by | largest gap | total | on the wire | beats lost | connections intact |\n|--:|---|--:|--:|--:|--:|--:|\n"
    return head + "".join(
        f"| {r['memory_mib']} MiB | {r['way']} | {_spread(r, 'gap_s')} s | {_spread(r, 'total_s')} s "
        f"| {r['wire_bytes'] / 1e6:.1f} MB | {r['lost']:g} | {r['intact']} of {r['runs']} |\n"
        for r in rows
    )


def _spread(summary: dict[str, Any], name: str) -> str:
    least, most = summary[f"{name}_spread"]
    return f"{summary[name]:.2f} ({least:.2f} to {most:.2f})"


def measure(sizes: list[int], runs: int, kept_mib: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    built = image.ensure(print)
    chosen = accelerator.choose("auto", built, print)
    each: list[dict[str, Any]] = []
    with TemporaryDirectory() as scratch:
        program = Path(scratch, "pulse.elf")
        subprocess.run(["strip", "-o", program, LIBOS / "build" / "pulse.elf"], check=True)
        try:
            shapes = bringup.shapes(2, 1, MEMORY_MIB)
            lab = bringup.up(
                NAME, shapes, built=built, accelerator=chosen, follow=lambda _: None, patience_s=PATIENCE_S
            )
            reach.copy(lab, "cv1", [program], "/root/")
            agents = Agents(lab)
            for number in range(runs):
                for memory_mib in sizes:
                    for way in WAYS:
                        each.append(one(agents, way, program, memory_mib, kept_mib))
                        shown = {name: round(each[-1][name], 3) for name in ("gap_s", "total_s", "load_average")}
                        print(f"run {number + 1} of {runs}, {memory_mib} MiB, {way}: {shown}", flush=True)
        except KeyboardInterrupt:
            print("interrupted: reporting what there is")
        finally:
            teardown.down(NAME, say=print)
    conditions = {
        "accelerator": "software emulation (QEMU TCG)" if chosen == "tcg" else "KVM",
        "app_vm": f"pulse of FlexCapsule OS, keeping {kept_mib} MiB",
        "cloud_vms": f"2, of 1 core and {MEMORY_MIB} MiB",
        "hypervisor": json.loads((built / "manifest.json").read_text())["hypervisor"],
    }
    by = {
        (size, way): [r for r in each if (r["memory_mib"], r["way"]) == (size, way)] for size in sizes for way in WAYS
    }
    return [row(way, size, found) for (size, way), found in by.items() if found], conditions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handover", description=__doc__)
    parser.add_argument("--memory-mib", default="16,64,256", help="of the app VM, comma-separated")
    parser.add_argument("--runs", type=int, default=20, help="moves of each size and way")
    parser.add_argument("--kept-mib", type=int, default=0, help="memory that the app VM has written and keeps")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--table", type=Path, help="write the table as Markdown")
    told = parser.parse_args()
    rows, conditions = measure([int(size) for size in told.memory_mib.split(",")], told.runs, told.kept_mib)
    print(table(rows))
    if told.out:
        write(result("handover", 0, conditions, rows), told.out)
    if told.table:
        told.table.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
