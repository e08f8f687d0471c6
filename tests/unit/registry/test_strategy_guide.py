"""The guide's example, installed as pip would and made to decide by the real command."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "strategies.md"
CLUSTER = """
catalogue: [{name: large, cores: 8, memory: 16GiB, price_per_hour: 0.2}]
cloud_vms: [{id: cloud-1, size: large}, {id: cloud-2, size: large}]
services: [{id: web, min_replicas: 1, max_replicas: 5, replica: {cores: 1, memory: 128MiB}}]
app_vms:
  - {id: web-1, service: web, on: cloud-1, usage: {cores: 0.50, memory: 90MiB}}
  - {id: web-2, service: web, on: cloud-1, usage: {cores: 0.04, memory: 90MiB}}
  - {id: big, cores: 6, memory: 1GiB, on: cloud-1, usage: {cores: 5.0, memory: 1GiB}}
  - {id: other, cores: 6, memory: 1GiB, on: cloud-2, usage: {cores: 5.0, memory: 1GiB}}
"""


def block(language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"the guide has {len(found)} blocks of {language}"
    return found[0]


@pytest.fixture
def site(tmp_path):
    """A directory with what pip leaves there: the module, and a dist-info with its entry points."""
    project = tomllib.loads(block("toml"))["project"]
    (group, points), *more = project["entry-points"].items()
    assert more == []
    (tmp_path / "stop_idle.py").write_text(block("python"), encoding="utf-8")
    info = tmp_path / f"stop_idle-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    (tmp_path / "tidy.yaml").write_text(block("yaml"), encoding="utf-8")
    (tmp_path / "cluster.yaml").write_text(CLUSTER, encoding="utf-8")
    return tmp_path


def flexcapsule(site, *arguments):
    start = "import sys; from autoscaler.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, *arguments]
    return subprocess.run(
        command, cwd=site, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
    )


def test_the_example_is_thirty_lines():
    assert len(block("python").splitlines()) <= 30


def test_the_example_decides_through_its_entry_point(site):
    said = flexcapsule(site, "plan", "--cluster", "cluster.yaml", "--policy", "tidy.yaml", "--json")
    assert said.returncode == 0, said.stderr
    (granted,) = json.loads(said.stdout)["decision"]["granted"]
    assert granted["action"] == "scale_in"
    assert granted["reason"] == "web-2 uses 4.0% of its CPU, 1 of 2 replicas are idle"


def test_its_parameters_are_checked_like_any_others(site):
    (site / "tidy.yaml").write_text(block("yaml").replace("idle: 5%", "idle: 500%"), encoding="utf-8")
    said = flexcapsule(site, "check", "tidy.yaml")
    assert said.returncode == 2
    assert "tidy.yaml:4" in said.stderr + said.stdout
    (site / "tidy.yaml").write_text(block("yaml").replace("idle: 5%", "idel: 5%"), encoding="utf-8")
    said = flexcapsule(site, "check", "tidy.yaml")
    assert said.returncode == 2
    assert "idle" in said.stderr + said.stdout
