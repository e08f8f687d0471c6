"""The unit is as exposed as the docs say and no more, starts the command as it is, and needs no more than it states."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from autoscaler.cli.main import ended

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/flexcapsule.service"
STATED = re.search(r"overall exposure (\d+\.\d)", (ROOT / "docs/service.md").read_text("utf-8"))


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze (Debian package `systemd`)"
)
def test_the_exposure_is_what_the_docs_state():
    call = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    said = subprocess.run(call, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)
    assert found is not None, said
    assert STATED is not None
    assert found[1] == STATED[1]


def test_the_command_it_starts_is_one_that_there_is(tmp_path, capsys):
    call = re.search(r"^ExecStart=\S+/flexcapsule (.+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert call is not None
    config = ROOT / "deploy/systemd/config.yaml"
    arguments = call[1].replace("/etc/flexcapsule/config.yaml", str(config)).split()
    assert ended(["check", str(config)]) == 0
    assert ended([*arguments, "--pace", "max", "--ticks", "2", "--journal", str(tmp_path)]) == 0
    assert '"event": "started"' in capsys.readouterr().err


def test_what_it_writes_is_under_its_state_directory():
    text = (ROOT / "deploy/systemd/config.yaml").read_text("utf-8")
    assert set(re.findall(r"/var/\S+", text)) == {"/var/lib/flexcapsule/journal", "/var/lib/flexcapsule/token"}
    assert "StateDirectory=flexcapsule" in UNIT.read_text("utf-8")
