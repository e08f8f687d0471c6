"""Logs go to standard error in one form, whoever writes them; reasons in them are fields, not sentences."""

from __future__ import annotations

import json
import logging

import pytest

from autoscaler.cli import logs


def test_json_has_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    logs.log().info("started", mode="live")
    logs.log().debug("not at this level")
    out, err = capsys.readouterr()
    assert out == ""
    line = json.loads(err)
    assert (line["event"], line["mode"], line["level"]) == ("started", "live", "info")


def test_without_a_terminal_auto_is_json_and_human_has_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("auto", "info")
    logs.log().info("started")
    assert capsys.readouterr().err.startswith("{")
    logs.configure("human", "info")
    logs.log().warning("silent", reason="no answer")
    assert capsys.readouterr().err.endswith("[warning  ] silent reason='no answer'\n")


def test_a_defect_in_an_endpoint_is_in_the_log_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "error")
    try:
        int("defect")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("in the application")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "in the application"
    assert "ValueError: invalid literal" in line["exception"]
