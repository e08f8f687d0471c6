"""`lab up` killed at any moment: `down` leaves nothing, `up` works again, and another lab beside it never notices."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.lab import condition, leftovers, record, teardown
from autoscaler.lab.layout import Layout
from autoscaler.lab.leftovers import Leftovers
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system
COMMAND = [sys.executable, "-c", "from autoscaler.cli.main import main; main()", "lab"]
NOTHING = Leftovers((), (), (), (), ())
MOMENT_S = 60.0


def started(name: str, *options: str) -> subprocess.Popen[bytes]:
    argv = [*COMMAND, "up", "--name", name, "--accelerator", "tcg", "--memory-mib", "512", *options]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_when(running: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
    """SIGKILL to the command alone, as soon as `moment` has come: whatever it started lives on."""
    deadline = time.monotonic() + MOMENT_S
    while not moment() and time.monotonic() < deadline:
        assert running.poll() is None, "the command ended before the moment to kill it"
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL


def seen_on_machine(name: str) -> list[str]:
    """Everything that names the lab, looked for without the lab's own code: processes, namespaces, interfaces, mounts, files."""
    places = {
        "interface": f"/sys/class/net/fc-{name}",
        "namespace": f"/run/netns/fc-{name}",
        "lock": record.lock_path(name),
    }
    seen = [kind for kind, place in places.items() if Path(place).exists()]
    mounts = Path("/proc/mounts").read_text().splitlines()
    seen += [f"mount {line}" for line in mounts if f"fc-{name}" in line or f"labs/{name}" in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"flexcapsule-lab/{name}/".encode() in line or f"fc-{name}".encode() in line:
            seen.append(f"process {process.name} {line!r}")
    return seen + [str(path) for path in Layout(name).directory.parent.glob(f"{name}*")]


MOMENTS: dict[str, Callable[[Layout], bool]] = {
    "record written": lambda layout: layout.file("lab.json").exists(),
    "namespace made": lambda layout: Path("/run/netns", layout.namespace).exists(),
    "host joined": lambda layout: Path("/sys/class/net", layout.host_interface).exists(),
    "first key made": lambda layout: layout.file("host").exists(),
    "first disk made": lambda layout: layout.file("cv1.qcow2").exists(),
    "first machine runs": lambda layout: layout.file("cv1.pid").exists(),
    "second machine runs": lambda layout: layout.file("cv2.pid").exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_down_leaves_nothing(other: str, moment: str) -> None:
    layout = Layout(other)
    kill_when(started(other), lambda: MOMENTS[moment](layout))
    assert leftovers.find(layout), "the kill came too early to leave anything"
    assert teardown.down(other, say=print)
    assert leftovers.find(layout) == NOTHING
    assert seen_on_machine(other) == []


def test_killed_while_booting_then_down_then_up_works_beside_another_lab(lab: Record, other: str) -> None:
    layout = Layout(other)
    kill_when(started(other, "--cloud-vms", "1"), lambda: "(XEN) Xen version" in _console(layout))
    refused = subprocess.run(
        [*COMMAND, "up", "--name", other, "--accelerator", "tcg"], capture_output=True, check=False
    )
    assert (refused.returncode, b"lab down --name " + other.encode() in refused.stderr) == (2, True)
    assert subprocess.run([*COMMAND, "down", "--name", other], check=False).returncode == 0
    assert seen_on_machine(other) == []
    # Through the boot loader this time: the image starts as a cloud would start it.
    again = started(other, "--cloud-vms", "1", "--boot-loader", "--patience", "600")
    assert again.wait(timeout=700) == 0
    assert record.existing(other).number != lab.number
    assert [c.state for name in (other, lab.name) for c in condition.of(record.existing(name)).cloud_vms] == [
        "up",
        "up",
        "up",
    ]
    assert subprocess.run([*COMMAND, "down", "--name", other], check=False).returncode == 0
    assert seen_on_machine(other) == []
    assert [c.state for c in condition.of(lab).cloud_vms] == ["up", "up"]


def test_down_of_a_lab_that_never_was_is_no_error() -> None:
    done = subprocess.run([*COMMAND, "down", "--name", "neverwas"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"lab neverwas: nothing to remove\n")


def _console(layout: Layout) -> str:
    path = layout.file("cv1.console.log")
    return path.read_text(errors="replace") if path.exists() else ""
