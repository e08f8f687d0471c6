"""The benchmark of one tick runs, has real work in its scene, and writes the one shape of result."""

import json
import subprocess
import sys
from pathlib import Path

from autoscaler.core.model import Action

ROOT = Path(__file__).parents[3]


def test_it_measures_a_tick_in_which_all_six_actions_are_granted(tmp_path):
    out = tmp_path / "tick.json"
    command = [sys.executable, "-m", "benchmarks.tick", "--sizes", "1000", "--repeat", "1"]
    command += ["--strategy", "composite", "--out", str(out)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "1,000" in said.stdout
    document = json.loads(out.read_text())
    assert list(document) == ["schema", "benchmark", "measured_at", "seed", "machine", "versions", "conditions", "rows"]
    assert (document["schema"], document["benchmark"], document["seed"]) == (1, "tick", 1)
    (row,) = document["rows"]
    assert set(row["granted"]) == {str(action) for action in Action}
    assert (row["app_vms"], row["cloud_vms"], row["infeasible"]) == (1000, 97, 0)
    assert row["steps"] > 200
    # a tenth of the goal's size in a tenth of its time; processor time, so that a busy machine fails nobody
    assert row["decide_cpu_s"] < 0.1 * document["conditions"]["goal"]["composite"]["decide_s"]
    assert row["peak_bytes"] < document["conditions"]["goal"]["composite"]["peak_bytes"]


def test_scattered_nobody_has_to_leave_and_optimal_repacks(tmp_path):
    out = tmp_path / "tick.json"
    command = [sys.executable, "-m", "benchmarks.tick", "--sizes", "200", "--repeat", "1"]
    subprocess.run([*command, "--strategy", "optimal", "--out", str(out)], cwd=ROOT, capture_output=True, check=True)
    hot, scattered = json.loads(out.read_text())["rows"]
    assert (hot["scene"], scattered["scene"], scattered["cloud_vms"]) == ("hot", "scattered", 50)
    assert "separate" not in scattered["granted"]
    assert scattered["granted"]["consolidate"] > 20
    assert scattered["warm_cpu_s"] < scattered["decide_cpu_s"]
