"""Log lines of one decision, from what was observed to how its last step ended, all found by one id."""

from __future__ import annotations

import json

import pytest

from autoscaler.cli.main import ended

WORLD = """\
catalogue:
  - {name: small, cores: 2, memory: 4GiB, price_per_hour: 0.5}
cloud_vms:
  - {id: a, size: small}
  - {id: b, size: small}
services:
  - {id: web, replicas: 2, max_replicas: 4, memory: 128MiB, on: [a, b], demand: {base_cores: 0.2}}
"""
POLICY = """\
name: packing
strategy: {name: consolidate, samples: 1}
limits: {stabilization: {saving: 0s}, worth_it: {k: none}}
"""


def said(place, capsys, *more: str, level: str = "debug") -> list[dict]:
    (place / "world.yaml").write_text(WORLD)
    (place / "policy.yaml").write_text(POLICY)
    settings = f"policy: policy.yaml\ncluster: {{simulated: {{world: world.yaml}}}}\nlog: {{level: {level}}}\n"
    (place / "config.yaml").write_text(settings)
    begin = ["run", "-c", str(place / "config.yaml"), "--pace", "max", "--ticks", "6", *more]
    assert ended(begin) == 0
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_id_leads_from_what_was_observed_to_how_the_last_step_ended(tmp_path, capsys):
    lines = said(tmp_path, capsys, "--journal", str(tmp_path / "kept"), "--log-format", "json")
    granted = next(line for line in lines if line.get("granted"))
    decision = granted["decision"]
    about = [line for line in lines if line.get("decision") == decision]
    assert next(line["event"] for line in about) == "decided"
    begun = [line["step"] for line in about if line["event"] == "step begins"]
    done = [line["step"] for line in about if line["event"] == "step done"]
    assert begun == done != []
    observation = granted["entry"].partition(".")[0]
    assert f"d{observation.removeprefix('e')}" == decision
    assert [line["event"] for line in lines if line.get("entry") == observation] == ["observed"]
    assert {"kind", "subject", "on", "entry", "at"} <= next(
        line for line in about if line["event"] == "step begins"
    ).keys()
    assert ended(["explain", done[-1], "--journal", str(tmp_path / "kept")]) == 0
    assert capsys.readouterr().out.startswith(f"decision {decision} at ")


def test_a_decision_that_says_nothing_new_is_no_news(tmp_path, capsys):
    lines = said(tmp_path, capsys, "--journal", str(tmp_path / "kept"), "--log-format", "json", level="info")
    decided = [line for line in lines if line["event"] == "decided"]
    assert len(decided) < 6
    assert not any(line["event"] == "observed" for line in lines)


def test_for_people_the_terminal_tells_it_and_the_log_does_not(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("{}")
    run = ["run", "-c", str(tmp_path / "config.yaml"), "--pace", "max", "--ticks", "8", "--log-format", "human"]
    assert ended([*run, "--journal", str(tmp_path / "kept")]) == 0
    told = capsys.readouterr()
    assert "decided" not in told.err
    assert " d7 " in told.out


def test_ids_of_a_run_that_is_not_kept_lead_nowhere_and_are_not_logged(tmp_path, capsys):
    lines = said(tmp_path, capsys, "--log-format", "json")
    assert [line["event"] for line in lines] == ["started"]


@pytest.mark.parametrize("word", ["console", "yaml"])
def test_another_form_is_refused_with_those_there_are(word, capsys):
    assert ended(["run", "--log-format", word]) == 2
    assert "human" in capsys.readouterr().err
