"""The controller does all its work under the system calls that its unit allows, without a capability; and the filter does filter."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from demo import Process, free_port

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy/systemd/flexcapsule.service"
DEBIANS_PYTHON = "/usr/bin/python3"
CAN = (
    os.geteuid() == 0
    and shutil.which("systemd-analyze")
    and shutil.which("setpriv")
    and subprocess.run([DEBIANS_PYTHON, "-c", "import seccomp"], capture_output=True, check=False).returncode == 0
)
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CAN, reason="needs root, systemd-analyze, setpriv and Debian's python3-seccomp"),
]
BOXED = [
    "setpriv",
    "--bounding-set=-all",
    "--inh-caps=-all",
    DEBIANS_PYTHON,
    str(Path(__file__).with_name("sandbox.py")),
    str(UNIT),
]
PATIENCE_S = 60.0


def test_it_decides_serves_and_reckons_regret_in_its_box(tmp_path):
    port = free_port()
    http = {"port": port, "token_file": str(tmp_path / "token")}
    config = {"pace": "600x", "http": http, "journal": {"directory": str(tmp_path / "journal")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    command = str(Path(sys.executable).with_name("flexcapsule"))
    run = [*BOXED, command, "run", "--config", str(tmp_path / "config.yaml"), "--log-format", "json"]
    judged = 'flexcapsule_judged_hours_total{outcome="judged"} '
    with Process(run, tmp_path / "log") as controller:
        deadline, told = time.monotonic() + PATIENCE_S, ""
        while f"{judged}0" in told or judged not in told:
            assert controller.ended is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.5)
            try:
                told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            except httpx.TransportError:
                continue
        assert controller.running is not None
        status = Path(f"/proc/{controller.running.pid}/status").read_text()
        assert "Seccomp:\t2" in status
        assert "CapEff:\t0000000000000000" in status
        controller.running.send_signal(signal.SIGTERM)
        assert controller.running.wait(timeout=20) == 0
    assert 'outcome="failed"} 0.0' in told.partition("flexcapsule_judged_hours_total{")[2]
    assert "Traceback" not in (tmp_path / "log").read_text()


TRACE_ME = "import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)"
RUN_DATA = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)"


@pytest.mark.parametrize("deed", [TRACE_ME, RUN_DATA], ids=["be traced", "write and execute"])
def test_the_box_is_one(deed):
    def ends(*box: str) -> int:
        return subprocess.run([*box, DEBIANS_PYTHON, "-c", deed], capture_output=True, check=False).returncode

    assert ends() == 0
    assert ends(*BOXED) == 1
