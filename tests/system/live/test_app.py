"""The session that docs/app.md shows, on a lab: a user's first half hour with app VMs, on real Xen."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.cli.main import ended
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "app.md"
BLOCK = re.compile(r"(<!-- transcript: .*? -->\n```\n)(.*?)(```\n<!-- end -->)", re.DOTALL)

# What differs from run to run, and what stands for it. A length stays, so that columns do.
FIGURES = (
    (r"10\.77\.\d+\.", "10.77.1."),
    (r"\d+\.\d\d s, \d+\.\d{3} s of it paused, \d+\.\d MB", "N.NN s, N.NNN s of it paused, N.N MB"),
    (r"\d+ KiB asked for, \d+ KiB free", "N KiB asked for, N KiB free"),
)


class Same:
    """The n-th different thing that is met gets the n-th stand-in, everywhere."""

    def __init__(self, stand_in: Callable[[int], str]) -> None:
        self._stand_in, self._met = stand_in, dict[str, str]()

    def __call__(self, found: re.Match[str]) -> str:
        shown = found[0][:12]
        stand_in = self._met.setdefault(shown, self._stand_in(len(self._met)))
        return stand_in[: len(found[0])]


def masked(text: str) -> str:
    uuids = Same(lambda n: str(uuid.uuid5(uuid.NAMESPACE_URL, f"app VM {n}")))
    digests = Same(lambda n: hashlib.sha256(f"image {n}".encode()).hexdigest())
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{3}(?:[0-9a-f]-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?\b", uuids, text)
    text = re.sub(r"\b[0-9a-f]{12}\b", digests, text)
    for figure, stand_in in FIGURES:
        text = re.sub(figure, stand_in, text)
    return text


def session(text: str, number: int, capsys: pytest.CaptureFixture[str]) -> str:
    """The session of `text`'s commands as it goes now."""
    told: list[str] = []
    for line in text.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line.removeprefix("$ ").replace("10.77.1.", f"10.77.{number}."))
        if words[0] == "flexcapsule":
            code = ended(words[1:])
            printed = capsys.readouterr()
            said = printed.out + printed.err
        else:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            code, said = done.returncode, done.stdout + done.stderr
        told += [line, *said.splitlines(), *([f"[exit {code}]"] if code else [])]
    return masked("\n".join(told) + "\n")


def test_the_session_in_the_docs_goes_as_written(
    lab: Record,
    built: Path,
    agent_of: Callable[[str], object],
    rewrite: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for shape in lab.cloud_vms:
        agent_of(shape.name)  # it answers from here on
    monkeypatch.setenv("FLEXCAPSULE_LAB", lab.name)
    monkeypatch.chdir(ROOT)
    page = PAGE.read_text("utf-8")
    found = BLOCK.search(page)
    assert found is not None
    now = session(found[2], lab.number, capsys)
    if rewrite:
        PAGE.write_text(page[: found.start(2)] + now + page[found.end(2) :], "utf-8")
    assert now == BLOCK.search(PAGE.read_text("utf-8"))[2]  # type: ignore[index]
