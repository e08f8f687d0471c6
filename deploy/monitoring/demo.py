"""`make monitoring-demo`: a controller on the embedded cluster, and a real Prometheus that scrapes it with our rules.

Separate from the tests because it is for people too: it prints where to look and runs until Ctrl-C. Everything is on loopback, on
free ports, in a temporary directory. Prometheus is Debian's package of that name.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/flexcapsule.rules.yml"
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """A program that is ended when it is left; what it says is kept in `log`."""

    call: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as file:
            self.running = subprocess.Popen(self.call, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def ended(self) -> int | None:
        """Its exit status where it ended by itself."""
        return None if self.running is None else self.running.poll()

    def end(self) -> None:
        if self.running is None:
            return
        self.running.terminate()
        try:
            self.running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
        self.running = None


@dataclass
class Demo:
    """Both, ready once it is entered. `settings`: of the controller's config, beside what the demo sets; `rules`: another
    file than the shipped one; `targets`: job -> addresses that are scraped besides."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    rules: Path = RULES
    every: str = "1s"
    targets: Mapping[str, str] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.controller_port, self.prometheus_port = free_port(), free_port()
        self.controller = self._opened.enter_context(Process(self._controller(), self.folder / "controller.log"))
        self._opened.enter_context(Process(self._prometheus(), self.folder / "prometheus.log"))
        try:
            self.wait('up{job="flexcapsule"} == 1 and on () flexcapsule_time_seconds')
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def controller_url(self) -> str:
        return f"http://127.0.0.1:{self.controller_port}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.prometheus_port}"

    def _controller(self) -> list[str]:
        http = {"port": self.controller_port, "token_file": str(self.folder / "token")}
        config = {"journal": {"directory": str(self.folder / "journal")}, "http": http, **self.settings}
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return [str(Path(sys.executable).with_name("flexcapsule")), "run", "--config", str(path), *self.arguments]

    def _prometheus(self) -> list[str]:
        jobs = {"flexcapsule": f"127.0.0.1:{self.controller_port}", **self.targets}
        scrapes = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()]
        config = {
            "global": {"scrape_interval": self.every, "scrape_timeout": self.every, "evaluation_interval": self.every},
            "rule_files": [str(self.rules)],
            "scrape_configs": scrapes,
        }
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        address = f"--web.listen-address=127.0.0.1:{self.prometheus_port}"
        place = f"--storage.tsdb.path={self.folder / 'tsdb'}"
        return ["prometheus", f"--config.file={path}", place, address, "--enable-feature=exemplar-storage"]

    def query(self, expression: str) -> list[Any]:
        """The result of an instant query; raises ValueError where Prometheus refuses it."""
        told = httpx.get(f"{self.prometheus_url}/api/v1/query", params={"query": expression}, timeout=30.0).json()
        if told["status"] != "success":
            raise ValueError(f"{expression}: {told.get('error')}")
        result: list[Any] = told["data"]["result"]
        return result

    def wait(self, expression: str, within_s: float = PATIENCE_S) -> list[Any]:
        """Until the query gives something; raises TimeoutError with what both programs said."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and self.controller.ended is None:
            try:
                found = self.query(expression)
            except (httpx.HTTPError, json.JSONDecodeError):
                found = []
            if found:
                return found
            time.sleep(0.25)
        said = "\n".join((self.folder / log).read_text()[-800:] for log in ("controller.log", "prometheus.log"))
        why = f"within {within_s:.0f} s" if self.controller.ended is None else "before the controller ended"
        raise TimeoutError(f"{expression} gave nothing {why}\n{said}")


def main() -> None:
    if shutil.which("prometheus") is None:
        sys.exit("there is no prometheus on this machine: install the Debian package `prometheus`")
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder)) as demo:
        print(f"status page  {demo.controller_url}/")
        print(f"metrics      {demo.controller_url}/metrics")
        print(f"Prometheus   {demo.prometheus_url}/graph    rules and alerts: {demo.prometheus_url}/alerts")
        print("dashboards   deploy/grafana/dashboards/*.json, for a Grafana of yours. Ctrl-C ends it all.", flush=True)
        try:
            while demo.controller.ended is None:
                time.sleep(1.0)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
