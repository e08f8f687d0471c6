"""`run` without waiting: one document on standard output, the same bytes every time, and each of the six actions in a day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli.main import ended

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
DAY = ["run", "--config", str(EXAMPLE), "--pace", "max", "--ticks", "1440", "--json"]
SIX = ["scale_out", "scale_in", "scale_up", "scale_down", "consolidate", "separate"]
RUN = "from autoscaler.cli.main import main; main()"


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert ended(arguments) == 0
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_a_day_on_the_embedded_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    day = printed(DAY, capsys)
    actions = day["actions"]
    assert isinstance(actions, dict)
    assert list(actions) == SIX
    assert all(count >= 1 for count in actions.values()), actions
    assert day["decisions"] == 1440
    assert {"cost", "demand_unserved_fraction", "migrations", "downtime_s", "denials"} <= day.keys()
    assert day["stuck"] == []


def test_the_same_bytes_under_any_hash_seed_with_and_without_a_journal(tmp_path: Path) -> None:
    outputs = set()
    for seed, kept in (("1", ()), ("2", ("--journal", str(tmp_path / "a"))), ("3", ("--journal", str(tmp_path / "b")))):
        command = [sys.executable, "-c", RUN, *DAY[:5], "--ticks", "120", "--json", *kept]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        outputs.add(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
    assert len(outputs) == 1


def test_two_halves_with_a_restart_between_are_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = [*DAY[:5], "--json"]
    whole = printed([*day, "--ticks", "120", "--journal", str(tmp_path / "whole")], capsys)
    printed([*day, "--ticks", "50", "--journal", str(tmp_path / "halves")], capsys)
    assert printed([*day, "--ticks", "70", "--journal", str(tmp_path / "halves")], capsys) == whole


def test_shadow_mode_decides_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run = printed([*DAY[:5], "--ticks", "60", "--json", "--mode", "shadow"], capsys)
    granted, actions, world = run["granted"], run["actions"], run["world"]
    assert isinstance(granted, dict)
    assert isinstance(actions, dict)
    assert isinstance(world, dict)
    assert sum(granted.values()) > 0
    assert sum(actions.values()) == 0
    assert (world["app_vm_starts"], world["app_vm_stops"], world["cloud_vm_starts"], world["migrations"]) == (
        0,
        0,
        0,
        0,
    )


def test_a_second_policy_changes_nothing_for_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    alone = printed([*DAY[:5], "--ticks", "60", "--json"], capsys)
    beside = printed([*DAY[:5], "--ticks", "60", "--json", "--shadow-policy", "hold"], capsys)
    second = beside.pop("second_policy")
    assert beside == alone
    assert isinstance(second, dict)
    assert second["differed"] > 0
    assert second["failed"] == ""


def test_with_json_nothing_but_the_document_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([*DAY[:5], "--ticks", "3", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("{\n")
    assert json.dumps(json.loads(out), indent=2, ensure_ascii=False) + "\n" == out
