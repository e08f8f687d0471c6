"""A policy file is read again when it changed or when somebody asks; an invalid one is refused and the old one stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoscaler.adapters.policy_file import PolicyFile
from autoscaler.core.policy import Policy, StrategySpec
from autoscaler.errors import FlexCapsuleError, PolicyError, Position, UsageError


class Desk:
    """Loads a file that holds a policy's name; counts."""

    def __init__(self, path: Path) -> None:
        self.path, self.loads = path, 0
        self.adopted: list[str] = []
        self.refused: list[str] = []
        self.file = PolicyFile(path, self._load(path), self._load, self._adopt, self._no)

    def _load(self, path: Path) -> Policy:
        self.loads += 1
        text = path.read_text() if path.exists() else "!"
        if text.startswith("!"):
            raise PolicyError(Position(str(path)), "no")
        return Policy(text, StrategySpec("hold"), digest=text)

    def _adopt(self, policy: Policy) -> None:
        if policy.name == "another mode":
            raise UsageError("restart to change it")
        self.adopted.append(policy.name)

    def _no(self, error: FlexCapsuleError) -> None:
        self.refused.append(str(error))

    def write(self, text: str) -> None:
        """Each write gets a time of its own, however fast the test is; then the controller looks twice."""
        later = self.path.stat().st_mtime_ns + 1
        self.path.write_text(text)
        os.utime(self.path, ns=(later, later))
        self.file.look()
        self.file.look()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    return Desk(path)


def test_what_is_in_force_is_not_adopted_again(desk: Desk) -> None:
    desk.file.look()
    desk.file.look()
    assert desk.adopted == []
    assert desk.loads == 2  # at the start, and once more in case it changed in between


def test_a_change_is_adopted_once_and_the_same_content_is_not_a_change(desk: Desk) -> None:
    desk.write("two")
    desk.write("two")
    desk.write("one")
    assert desk.adopted == ["two", "one"]


def test_an_invalid_one_is_refused_once_and_a_repaired_one_adopted(desk: Desk) -> None:
    desk.write("!broken")
    assert desk.refused == [f"{desk.path}:1:1: no"]
    desk.write("one")
    assert desk.adopted == []
    desk.write("three")
    assert desk.adopted == ["three"]


def test_one_that_the_controller_will_not_have_is_refused_too(desk: Desk) -> None:
    desk.write("another mode")
    assert desk.refused == ["restart to change it"]
    desk.write("one")
    assert desk.adopted == []


def test_a_file_that_vanishes_leaves_the_old_policy(desk: Desk) -> None:
    desk.file.look()
    desk.path.unlink()
    desk.file.look()
    desk.file.look()
    assert (desk.adopted, len(desk.refused)) == ([], 1)


def test_asking_reads_it_again_and_says_again_what_is_wrong(desk: Desk) -> None:
    desk.write("!broken")
    desk.file.ask()
    desk.file.look()
    assert len(desk.refused) == 2
