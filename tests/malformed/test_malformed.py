"""Malformed documents: each gives exactly one line that says where, what was read and what was expected, within a second.

The files stand beside this module by kind of document; `expected.txt` of a kind has the line of each, without its folder; {strategies} and {policies} stand for the names that there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler import registry
from autoscaler.cli.main import ended
from autoscaler.config import read_config, read_world, ready_policies
from autoscaler.errors import PolicyError
from autoscaler.policylang import read_cluster, read_policy

HERE = Path(__file__).parent
MOST_S = 1.0  # of processor time: other work on the machine is not the reader's
READERS: dict[str, Callable[[Path], object]] = {
    "policy": lambda path: read_policy(path, registry.strategy_types()),
    "config": read_config,
    "cluster": read_cluster,
    "world": read_world,
}
FILES = [(kind, path) for kind in READERS for path in sorted((HERE / kind).glob("*.yaml"))]


def complaint(kind: str, path: Path) -> str:
    """The one line with which the file is refused, after it was made sure that it came quickly."""
    began = time.process_time()
    with pytest.raises(PolicyError) as refused:
        READERS[kind](path)
    assert time.process_time() - began < MOST_S
    line = str(refused.value)
    assert "\n" not in line
    return line.removeprefix(f"{path.parent}/")


def expected(kind: str) -> dict[str, str]:
    text = (HERE / kind / "expected.txt").read_text(encoding="utf-8")
    for word, known in (("{strategies}", registry.names()), ("{policies}", ready_policies())):
        text = text.replace(word, ", ".join(known))
    lines = text.splitlines()
    return {line.split(":", 1)[0]: line for line in lines}


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[f"{kind}-{path.stem}" for kind, path in FILES])
def test_says_what_is_wrong_and_where(kind: str, path: Path) -> None:
    assert complaint(kind, path) == expected(kind)[path.name]


def test_every_line_that_is_expected_has_its_file() -> None:
    for kind in READERS:
        assert list(expected(kind)) == [path.name for path in sorted((HERE / kind).glob("*.yaml"))]
    assert len(FILES) >= 40


HEAD = "name: x\nstrategy: {name: hold}\n"
BIG = {  # too big to keep beside this file
    "ten megabytes": ("a" * 10_000_000, "1:1: bigger than 1 MiB; expected a smaller file"),
    "ten megabytes of rules": (
        HEAD + "conditions:\n" + "  - {actions: all, when: 'true'}\n" * 320_000,
        "1:1: bigger than 1 MiB",
    ),
    "a megabyte of brackets": ("[" * 1_000_000, "1:51: nested more than 50 deep"),
    "a megabyte of list": ("- x\n" * 250_000, "10000:3: more than 10000 values, aliases expanded"),
    "a megabyte of one quoted text": (
        "'" * 999_999,
        "1:1000000: not YAML: while scanning a quoted scalar found unexpected end",
    ),
    "a megabyte of one word": (HEAD + "mode: " + "x" * 1_000_000, "3:7: mode: 'xxxx"),
    "nine thousand wrong budgets": (
        HEAD + "limits: {budgets: [" + "x," * 9_000 + "]}",
        "3:20: limits.budgets[0]: 'x' is not a mapping",
    ),
    "a thousand conditions": (
        HEAD + "conditions: [" + "{actions: all, when: 'true'}," * 1000 + "]",
        "3:13: conditions: 1000 are here",
    ),
}


@pytest.mark.parametrize("name", BIG)
def test_big_files_are_refused_in_a_line_and_a_second(name: str, tmp_path: Path) -> None:
    text, begin = BIG[name]
    path = tmp_path / "big.yaml"
    path.write_text(text, encoding="utf-8")
    line = complaint("policy", path)
    assert line.startswith(f"big.yaml:{begin}")
    assert len(line) < 600


@pytest.mark.parametrize("kind", READERS)
def test_files_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    missing = complaint(kind, tmp_path / "missing.yaml")
    assert missing.startswith("missing.yaml:1:1: cannot be read (no such file or directory); expected a")
    assert complaint(kind, tmp_path).startswith(f"{tmp_path.name}:1:1: this is a directory; expected a")


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[f"{kind}-{path.stem}" for kind, path in FILES])
def test_the_command_says_it_in_one_line_and_exit_code_2(
    kind: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["check", "--as", kind, str(path)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{path.parent}/{expected(kind)[path.name]}\n")
