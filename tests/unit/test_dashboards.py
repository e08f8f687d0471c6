"""The dashboards' files are what their generator writes, and ask only for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from dashboards import document
from panels import BOARDS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/grafana/dashboards"


def test_there_is_a_file_for_each_board_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {board.uid for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_is_as_generated(board: object) -> None:
    uid = board.uid  # type: ignore[attr-defined]
    assert (FOLDER / f"{uid}.json").read_text("utf-8") == document(board), "run deploy/grafana/dashboards.py"  # type: ignore[arg-type]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_asks_only_for_what_is_exported_or_recorded(board: object) -> None:
    known = set(re.findall(r"^\| `(flexcapsule_\w+)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    known |= set(re.findall(r"record: (\S+)", (ROOT / "deploy/prometheus/flexcapsule.rules.yml").read_text("utf-8")))
    known |= {"up", "scrape_duration_seconds"}
    for panel in json.loads(document(board))["panels"]:  # type: ignore[arg-type]
        for target in panel["targets"]:
            asked = set(re.findall(r"([a-z_][\w:]*)\{", target["expr"]))
            assert asked, target["expr"]
            assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked} <= known
