"""A policy file is read again when it changed or when somebody asks; an invalid one is refused and the old one stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoscaler.adapters.policy_file import PolicyFile
from autoscaler.core.policy import Policy, StrategySpec
from autoscaler.errors import FlexCapsuleError, PolicyError, Position


class Desk:
    """Loads a file that holds a policy's name; counts."""

    def __init__(self, path: Path) -> None:
        self.loads = 0
        self.adopted: list[str] = []
        self.refused: list[str] = []
        self.file = PolicyFile(path, self._load, adopted=lambda p: self.adopted.append(p.name), refused=self._no)

    def _load(self, path: Path) -> Policy:
        self.loads += 1
        text = path.read_text() if path.exists() else "!"
        if text.startswith("!"):
            raise PolicyError(Position(str(path)), "no")
        return Policy(text, StrategySpec("hold"), digest=text)

    def _no(self, error: FlexCapsuleError) -> None:
        self.refused.append(str(error))

    def turn(self) -> list[str]:
        return [event.policy.name for event in self.file.read(7.0)]  # type: ignore[union-attr]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    path = tmp_path / "policy.yaml"
    write(path, "one")
    return Desk(path)


def write(path: Path, text: str) -> None:
    """Each write gets a time of its own, however fast the test is."""
    later = path.stat().st_mtime_ns + 1 if path.exists() else 1
    path.write_text(text)
    os.utime(path, ns=(later, later))


def test_the_first_turn_reads_it_and_later_ones_only_look(desk: Desk) -> None:
    assert desk.turn() == ["one"]
    assert desk.turn() == []
    assert desk.loads == 1


def test_a_change_is_adopted_and_the_same_content_is_not_a_change(desk: Desk) -> None:
    desk.turn()
    write(desk.file.path, "two")
    assert desk.turn() == ["two"]
    write(desk.file.path, "two")
    assert desk.turn() == []
    assert desk.adopted == ["one", "two"]


def test_an_invalid_one_is_refused_once_and_a_repaired_one_adopted(desk: Desk) -> None:
    desk.turn()
    write(desk.file.path, "!broken")
    assert (desk.turn(), desk.turn()) == ([], [])
    assert desk.refused == [f"{desk.file.path}:1:1: no"]
    assert desk.file.digest == "one"
    write(desk.file.path, "three")
    assert desk.turn() == ["three"]


def test_a_file_that_vanishes_leaves_the_old_policy(desk: Desk) -> None:
    desk.turn()
    desk.file.path.unlink()
    assert (desk.turn(), desk.turn()) == ([], [])
    assert len(desk.refused) == 1


def test_asking_reads_it_again_and_says_again_what_is_wrong(desk: Desk) -> None:
    desk.turn()
    write(desk.file.path, "!broken")
    desk.turn()
    desk.file.ask()
    desk.turn()
    assert len(desk.refused) == 2


def test_what_is_in_force_after_a_restart_is_not_announced_again(desk: Desk) -> None:
    desk.file.digest = "one"
    assert desk.turn() == []
