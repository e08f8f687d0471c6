"""One cloud VM added to a running lab and removed again, killed at any moment of it; the others never notice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.lab import condition, expansion, machine, record
from autoscaler.lab.layout import Layout
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system
COMMAND = [sys.executable, "-c", "from autoscaler.cli.main import main; main()", "lab"]
CALLED, MOMENT_S = "cloud-1-1", 60.0
MOMENTS: dict[str, Callable[[Layout], bool]] = {
    "on record": lambda layout: CALLED in layout.file("lab.json").read_text(),
    "key made": lambda layout: layout.file("cv3.hostkey").exists(),
    "seed made": lambda layout: layout.file("cv3.seed").exists(),
    "disk made": lambda layout: layout.file("cv3.qcow2").exists(),
    "machine runs": lambda layout: layout.file("cv3.pid").exists(),
}


@pytest.fixture
def alone(lab: Record) -> Iterator[Record]:
    """The lab of two, and again of two afterwards."""
    yield lab
    expansion.remove(lab.name, "cv3")
    assert traces(lab.layout) == []
    assert [c.state for c in condition.of(record.existing(lab.name)).cloud_vms] == ["up", "up"]


def adding(name: str) -> subprocess.Popen[bytes]:
    argv = [*COMMAND, "add", "--name", name, "--memory-mib", "512", "--called", CALLED, "--patience", "600", "--json"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def kill_when(running: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOMENT_S
    while not moment() and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    running.communicate()


def traces(layout: Layout) -> list[str]:
    """Everything of cv3 on the machine."""
    links = subprocess.run(["ip", "-n", layout.namespace, "-json", "link"], capture_output=True, check=True).stdout
    found = [link["ifname"] for link in json.loads(links) if link["ifname"].startswith("cv3-")]
    found += [str(path) for path in (*layout.directory.glob("cv3.*"), *layout.keys.glob("cv3.*"))]
    mark = f"guest={layout.process_name('cv3')}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in words and b"qemu" in words[0]:
            found.append(f"process {process.name}")
    return found + (["record"] if "cv3" in layout.file("lab.json").read_text() else [])


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_addition_killed_at_any_moment_is_removed_whole(alone: Record, moment: str) -> None:
    kill_when(adding(alone.name), lambda: MOMENTS[moment](alone.layout))
    (shape,) = (shape for shape in record.existing(alone.name).cloud_vms if shape.called == CALLED)
    assert (shape.name, shape.ready) == ("cv3", False)
    done = subprocess.run([*COMMAND, "remove", CALLED, "--name", alone.name], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"lab {alone.name}: cv3 removed\n".encode())
    assert traces(alone.layout) == []


def test_an_addition_killed_while_it_boots_is_taken_up_and_not_made_twice(alone: Record) -> None:
    kill_when(adding(alone.name), lambda: MOMENTS["machine runs"](alone.layout))
    number = alone.layout.file("cv3.pid").read_text()
    again = adding(alone.name)
    said, errors = again.communicate(timeout=700)
    assert again.returncode == 0, errors.decode()
    assert json.loads(said)["name"] == "cv3"
    assert alone.layout.file("cv3.pid").read_text() == number
    assert machine.running(alone.layout, "cv3")
    assert [(s.name, s.called, s.ready) for s in record.existing(alone.name).cloud_vms][-1] == ("cv3", CALLED, True)
    states = {c.name: c.state for c in condition.of(record.existing(alone.name)).cloud_vms}
    assert states == dict.fromkeys(("cv1", "cv2", "cv3"), "up")


def test_a_removal_killed_half_way_is_finished_by_the_next(alone: Record) -> None:
    kill_when(adding(alone.name), lambda: MOMENTS["machine runs"](alone.layout))
    removing = subprocess.Popen([*COMMAND, "remove", "cv3", "--name", alone.name], stdout=subprocess.PIPE)
    kill_when(removing, lambda: not alone.layout.file("cv3.qcow2").exists())
    assert "record" in traces(alone.layout)
    assert expansion.remove(alone.name, "cv3")


def test_what_cannot_be_is_said(alone: Record) -> None:
    done = subprocess.run([*COMMAND, "remove", "cv7", "--name", alone.name], capture_output=True, check=False)
    assert (done.returncode, b"has no cloud VM 'cv7'; it has cv1, cv2" in done.stderr) == (2, True)
    small = subprocess.run(
        [*COMMAND, "add", "--memory-mib", "64", "--name", alone.name], capture_output=True, check=False
    )
    assert (small.returncode, b"64 MiB are too little" in small.stderr) == (2, True)
