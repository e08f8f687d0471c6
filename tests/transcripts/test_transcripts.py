"""Terminal sessions with their exact output: what a user sees at 80 columns, without a terminal and without colour.

Each *.txt is a session in a fresh directory that holds the files of `files/`. A line `$ flexcapsule ...` is a command; what
follows is what it prints (standard output, then standard error), and `[exit N]` where N is not 0. After a wanted change of
words: `pytest tests/transcripts --rewrite`, then read the difference.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from autoscaler.cli.main import ended

HERE = Path(__file__).parent
PROMPT = "$ flexcapsule "


def session(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The session of `text`'s commands as it goes now."""
    told: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            told.append(line)
        if line.startswith(PROMPT):
            code = ended(shlex.split(line.removeprefix(PROMPT)))
            printed = capsys.readouterr()
            output = [part.rstrip() for part in (printed.out + printed.err).splitlines()]
            told += [line, *output, *([f"[exit {code}]"] if code else []), ""]
    return "\n".join(told).rstrip("\n") + "\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.txt")))
def test_a_session_goes_as_written(
    name: str, rewrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(HERE / "files", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FLEXCAPSULE_URL", raising=False)
    path = HERE / f"{name}.txt"
    text = path.read_text("utf-8")
    now = session(text, capsys)
    if rewrite:
        path.write_text(now, "utf-8")
    assert now == path.read_text("utf-8")


ONE_LINE = re.compile(r"\$ |#|flexcapsule: |Error: |[\w-]+\.yaml:")  # one document or mistake is one line, however long


def test_every_other_line_fits_80_columns() -> None:
    for path in HERE.glob("*.txt"):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            assert ONE_LINE.match(line) or '": ' in line or len(line) <= 80, f"{path.name}:{number}"
