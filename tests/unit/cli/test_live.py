"""A controller as operators run it: a process of its own, asked over HTTP, reloaded by signal, ended by Ctrl-C, started again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from autoscaler.cli.main import ended

RUN = "from autoscaler.cli.main import main; main()"
POLICY = "name: {name}\nstrategy: {{name: hold}}\n"
CONFIG = """\
policy: policy.yaml
pace: 600x
http: {port: 0}
log: {format: json}
"""
PATIENCE_S = 20.0  # a process starts within a second; on a busy machine, within this


@dataclass
class Process:
    """`flexcapsule run` in `place`. `said`: what it has written on standard error so far."""

    place: Path
    child: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        return (self.place / "err.txt").read_text()

    def until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert self.child.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    @property
    def url(self) -> str:
        self.until(lambda: "/metrics" in self.said)
        found = re.search(r'"metrics": "(http://\S+)/metrics"', self.said)
        assert found is not None
        url = found.group(1)
        self.until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        return url

    def interrupt(self) -> float:
        """Ctrl-C; how long it took to end."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGINT)
        assert self.child.wait(PATIENCE_S) == 0, self.said
        return time.monotonic() - began


Start = Callable[[], Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "policy.yaml").write_text(POLICY.format(name="one"))
    children: list[subprocess.Popen[bytes]] = []

    def run() -> Process:
        with (tmp_path / "out.txt").open("ab") as out, (tmp_path / "err.txt").open("wb") as err:
            command = [sys.executable, "-c", RUN, "run", "--config", "config.yaml"]
            children.append(subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=err))
        return Process(tmp_path, children[-1])

    yield run
    for child in children:
        child.kill()
        child.wait()


def test_ctrl_c_ends_it_quickly_and_the_next_start_goes_on(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    first = start()
    journal = first.place / "var" / "journal"
    before = httpx.get(f"{first.url}/api/v1/status").json()["decisions"]
    assert first.interrupt() < 3.0
    assert ended(["verify", str(journal)]) == 0
    capsys.readouterr()
    second = start()
    assert httpx.get(f"{second.url}/api/v1/status").json()["decisions"] > before
    assert "goes on from the journal" in second.said
    second.interrupt()
    assert ended(["verify", str(journal)]) == 0
    assert "carried out:" in (first.place / "out.txt").read_text()


def test_the_policy_is_read_again_on_change_and_sighup_and_refused_when_wrong(start: Start) -> None:
    process = start()
    url, file = process.url, process.place / "policy.yaml"

    def policy() -> str:
        name: str = httpx.get(f"{url}/api/v1/status").json()["policy"]["name"]
        return name

    file.write_text(POLICY.format(name="two"))
    process.until(lambda: policy() == "two")
    file.write_text("name: three\nstrategy: {name: holt}\n")
    process.until(lambda: "REFUSED" in process.said)
    assert "policy.yaml:2:18" in process.said
    assert policy() == "two"
    refusals = process.said.count("REFUSED")
    process.child.send_signal(signal.SIGHUP)
    process.until(lambda: process.said.count("REFUSED") > refusals)
    refused = f'flexcapsule_policy_reloads_total{{outcome="refused"}} {refusals + 1:.1f}'
    process.until(lambda: refused in httpx.get(f"{url}/metrics").text)  # written after the turn
    assert 'flexcapsule_policy_reloads_total{outcome="adopted"} 1.0' in httpx.get(f"{url}/metrics").text
    assert process.interrupt() < 3.0


def test_commands_speak_to_it(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    process = start()
    here = ["--url", process.url, "--token-file", str(process.place / "var" / "token")]
    assert ended(["pause", "web", "--why", "load test", *here]) == 0
    assert capsys.readouterr().out == "paused web\n"
    assert ended(["status", *here[:2]]) == 0
    assert "paused: web (load test)" in capsys.readouterr().out
    assert ended(["resume", "web", *here]) == 0
    assert ended(["pause", "nobody", *here]) == 2
    assert "no app VM, service or cloud VM 'nobody'" in capsys.readouterr().err
    assert ended(["plan", *here[:2]]) == 0
    assert "what would be decided" in capsys.readouterr().out


def test_a_second_controller_on_the_same_journal_is_refused(start: Start) -> None:
    first = start()
    assert first.url
    err = (first.place / "err.txt").read_text()
    second = subprocess.run(
        [sys.executable, "-c", RUN, "run", "--config", "config.yaml"],
        cwd=first.place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    assert "is in use by the controller with process id" in second.stderr
    assert err
