"""A running controller survives every malformed policy there is a test file for: refused with its line, the old one stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autoscaler.adapters.policy_file import PolicyFile
from autoscaler.cli import assembly
from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.core.engine import Engine
from autoscaler.sim.example import example_scenario

MALFORMED = sorted((Path(__file__).parents[2] / "malformed" / "policy").glob("*.yaml"))
GOOD = "name: good\nstrategy: {name: hold}\n"


def test_there_are_enough() -> None:
    assert len(MALFORMED) >= 40


def test_each_is_refused_and_the_controller_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    refused: list[str] = []
    with assembly.assemble(Engine(TOOLBOX), load_policy(path), example_scenario(), ticks=2) as controller:
        file = PolicyFile(path, load_policy(path), load_policy, controller.adopt, lambda e: refused.append(str(e)))
        controller.loop.tick(controller.cluster.world.now)
        for number, malformed in enumerate(MALFORMED, start=1):
            shutil.copy(malformed, path)
            file.ask()
            file.look()
            controller.loop.tick(controller.cluster.world.now + 60.0)
            assert len(refused) == number, malformed.name
            assert refused[-1].startswith(f"{path}:")
            assert "\n" not in refused[-1]
        policy = controller.engine.state.policy
        assert policy is not None
        assert policy.name == "good"
        assert controller.engine.state.totals.decisions > len(MALFORMED)


@pytest.mark.parametrize("name", ["second", "third"])
def test_a_good_one_is_adopted_at_the_next_turn(tmp_path: Path, name: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    with assembly.assemble(Engine(TOOLBOX), load_policy(path), example_scenario(), ticks=2) as controller:
        file = PolicyFile(path, load_policy(path), load_policy, controller.adopt, lambda _error: pytest.fail("refused"))
        path.write_text(GOOD.replace("good", name))
        file.ask()
        file.look()
        controller.loop.tick(controller.cluster.world.now)
        policy = controller.engine.state.policy
        assert policy is not None
        assert policy.name == name
