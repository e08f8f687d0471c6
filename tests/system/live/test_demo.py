"""`make demo-live` in its short form: one cycle of load, all six actions, no failed request, nothing left, also after an interrupt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from own_labs import lab_name

from autoscaler.lab import teardown
from benchmarks.live import report, scene

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[3]
LONGEST_S = 1500.0  # 8 min on two free cores
KILL_AT_S = "150"  # while a bigger cloud VM is being made
END_S = 120.0


@pytest.fixture
def name(built: Path) -> Iterator[str]:
    del built
    if os.geteuid() != 0:
        pytest.skip("a lab needs root (network namespaces and taps)")
    if missing := [program for program in ("haproxy", "qemu-system-x86_64") if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}; deploy/setup/packages.sh lab, live")
    chosen = lab_name("demo")
    yield chosen
    teardown.down(chosen, say=print)


@contextmanager
def begun(name: str, out: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demonstration, under way; afterwards it is over, however the test ended."""
    argv = [sys.executable, "-m", "benchmarks.live", "--short", "--name", name, "--out", str(out), *options]
    running = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                running.communicate(timeout=END_S)
            running.kill()


def heard(running: subprocess.Popen[str], out: Path) -> str:
    """All that it and its controller said, for whoever asks why. Fails the test where it does not end."""
    try:
        said, _ = running.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=END_S)
        pytest.fail(f"it did not end within {LONGEST_S:g} s\n{said}{last_words(out)}")
    return said + last_words(out)


def last_words(out: Path) -> str:
    logs = [(path.name, path.read_text(errors="replace").splitlines()[-60:]) for path in sorted(out.glob("*.log"))]
    return "".join(f"\n-- {name} --\n" + "\n".join(lines) for name, lines in logs)


def test_all_six_actions_by_the_policys_own_decisions_and_no_failed_request(name: str, tmp_path: Path) -> None:
    """The controller is killed in the middle, and goes on from its journal and from what it observes."""
    with begun(name, tmp_path, "--kill-controller-at", KILL_AT_S) as running:
        said = heard(running, tmp_path)
    assert (tmp_path / "report.json").exists(), said
    figures = json.loads((tmp_path / "report.json").read_text())["rows"][0]
    assert set(figures["actions"]) == set(report.ACTIONS)
    assert figures["missing_actions"] == [], said
    assert figures["requests"]["all"]["failed"] == 0, f"{figures['failures'][:3]}\n{said}"
    assert figures["cloud_vms"]["created"] >= 3, said
    assert figures["cloud_vms"]["released"] >= 3, said
    assert 0 < figures["cost"]["paid"] < figures["cost"]["fixed_cluster"], figures["cost"]
    assert "was killed (SIGKILL)" in figures["notes"][0]
    assert "6 of 6 actions" in (tmp_path / "report.html").read_text()
    assert scene.leftovers(name) == ""
    assert running.returncode == 0, said


def test_an_interrupt_leaves_nothing(name: str, tmp_path: Path) -> None:
    with begun(name, tmp_path) as running:
        assert running.stdout is not None
        told = []
        for line in running.stdout:
            told.append(line)
            if "first answers" in line:
                break
        running.send_signal(signal.SIGINT)
        time.sleep(1)
        running.send_signal(signal.SIGINT)  # a second one does not stop the cleaning up
        rest, _ = running.communicate(timeout=300)
    assert running.returncode == 130, "".join(told) + rest
    assert "interrupted; everything is cleaned up" in rest
    assert scene.leftovers(name) == ""
