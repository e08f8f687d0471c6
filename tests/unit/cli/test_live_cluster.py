"""`flexcapsule run` on a real cluster, as far as agents in memory go: what it prints, keeps, refuses, and leaves alone in shadow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_agents import Fleet
from live_place import live_place

from autoscaler.cli.main import ended

RUN = ["run", "--config", "live.yaml", "--json", "--ticks"]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.chdir(tmp_path)
    with live_place(tmp_path, hosts="ab", replicas=2) as made:
        yield made


def submitted(fleet: Fleet) -> list[str]:
    return [step for agent in fleet.agents.values() for step in agent.submitted]


def test_it_scales_a_service_out_on_real_agents_and_the_next_run_goes_on(fleet, capsys):
    assert ended([*RUN, "6"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["actions"]["scale_out"] == 2
    assert (first["demand_unserved_fraction"], first["world"]) == (None, None)
    assert first["cost"] > 0, "counted from what was observed"
    names = {app_vm.spec.name for agent in fleet.agents.values() for app_vm in agent.app_vms.values()}
    assert len(names) == 2
    begun = submitted(fleet)
    assert ended([*RUN, "6"]) == 0, "six ticks are longer than the policy's second between decisions"
    second = json.loads(capsys.readouterr().out)
    assert (second["from"], second["actions"]["scale_out"]) == (first["from"], 2)
    assert second["decisions"] > first["decisions"]
    assert [step for step in submitted(fleet) if step in begun] == begun
    assert ended(["explain", "--app-vm", min(names), "--journal", "var/journal"]) == 0
    assert "scale_out" in capsys.readouterr().out


def test_shadow_mode_decides_on_what_it_sees_and_touches_nothing(fleet, capsys):
    assert ended([*RUN, "4", "--mode", "shadow"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["granted"]["scale_out"] == 2
    assert "start_app_vm done" not in document["steps"]
    assert submitted(fleet) == []
    assert [agent.images for agent in fleet.agents.values()] == [{}, {}]
    assert ended([*RUN, "1"]) == 2
    assert "belongs to a run with another mode" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("keys: keys", "keys: nowhere"), "nowhere has no authority; `flexcapsule keys init --keys"),
        (("image: web.elf", "image: no.elf"), "service web needs no.elf"),
    ],
)
def test_what_a_real_cluster_lacks_is_said_in_one_line(fleet, tmp_path, capsys, change, said):
    config = tmp_path / "live.yaml"
    config.write_text(config.read_text().replace(*change))
    assert ended([*RUN, "1"]) == 2
    error = capsys.readouterr().err
    assert said in error.splitlines()[-1]


def test_a_real_cluster_has_no_pace(fleet, capsys):
    assert ended([*RUN, "1", "--pace", "max"]) == 2
    assert "--pace is for simulated clusters" in capsys.readouterr().err


def test_agents_that_do_not_answer_are_waited_for(fleet, capsys):
    for agent in fleet.agents.values():
        agent.silent = True
    assert ended([*RUN, "6"]) == 0, "six ticks are longer than the policy's second between decisions"
    captured = capsys.readouterr()
    assert json.loads(captured.out)["decisions"] == 0
    assert "no agent answers" in captured.err
