"""A real Prometheus (Debian package `prometheus`) scrapes a service of ours; what it recorded becomes a trace."""

import shutil
import socket
import subprocess
import time

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from autoscaler.cli.main import ended
from autoscaler.sim.traces import read_trace

pytestmark = pytest.mark.system
PROMETHEUS = shutil.which("prometheus")
SCRAPES = 8
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: lab, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def exporter():
    registry = CollectorRegistry()
    cores = Gauge("app_cores", "Cores in use", ["app_vm"], registry=registry)
    cores.labels("one").set(0.25)
    cores.labels("two").set(1.5)
    port = free_port()
    listener, thread = start_http_server(port, "127.0.0.1", registry)
    yield port
    listener.shutdown()
    listener.server_close()
    thread.join()


@pytest.fixture
def prometheus(tmp_path, exporter):
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(port=exporter))
    port = free_port()
    call = [PROMETHEUS, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    process = subprocess.Popen([*call, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_samples(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for_samples(url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            query = {"query": f"count_over_time(app_cores[1m]) >= {SCRAPES}"}
            told = httpx.get(f"{url}/api/v1/query", params=query).raise_for_status().json()
        except httpx.HTTPError:  # not there yet, or not ready yet (503)
            told = {}
        if len(told.get("data", {}).get("result", [])) == 2:
            return
        time.sleep(0.5)
    raise AssertionError("Prometheus did not scrape in time")


@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus on this machine (Debian package `prometheus`)")
def test_recorded_metrics_become_a_trace_that_can_be_replayed(prometheus, tmp_path, capsys):
    now = int(time.time())  # noqa: TID251  Prometheus keeps real time
    target = str(tmp_path / "week.parquet")
    call = ["trace", "fetch", prometheus, target, "--cpu", "app_cores", "--label", "app_vm", "--app-vms", "--step", "1"]
    assert ended([*call, "--from", str(now - SCRAPES), "--until", str(now)]) == 0
    trace = read_trace(tmp_path / "week.parquet")
    assert trace.subjects == ("one", "two")
    assert set(trace.cores[:, 0]) == {0.25}
    assert set(trace.cores[:, 1]) == {1.5}
    assert trace.steps >= SCRAPES // 2  # the first scrapes may be older or younger than the range
    capsys.readouterr()
    assert ended([*call[:5], "app_cores(", *call[6:], "--from", str(now - 5), "--until", str(now)]) == 2
    assert "refuses the query" in capsys.readouterr().err
