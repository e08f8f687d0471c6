"""How every command ends: quick help, one line for a mistake, a report for a defect, quiet for a closed pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli.main import DEFECT, INTERRUPTED, USAGE, ended
from autoscaler.errors import SourceError

HEAVY = ("numpy", "pandas", "pydantic", "rich", "structlog", "starlette", "httpx", "sqlite3", "yaml")


def end_with(error: BaseException) -> int:
    """How a command ends that raises `error`."""

    def command(arguments: list[str], prog_name: str) -> None:
        raise error

    return ended([], command)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from autoscaler.cli.main import ended; ended(['--help']);"
        f"print(sorted(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "explain" in done.stdout
    assert done.stderr == "[]\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"]) == 0
    assert re.fullmatch(r"flexcapsule \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_mistake_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_with(SourceError("nobody answers")) == USAGE
    assert capsys.readouterr().err == "flexcapsule: nobody answers\n"


def test_a_defect_is_one_line_that_says_where_the_report_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_with(ZeroDivisionError("division by zero")) == DEFECT
    told = capsys.readouterr().err
    assert told.startswith("flexcapsule: a defect of ours: ZeroDivisionError: division by zero; please send ")
    assert told.count("\n") == 1
    report = Path(told.split("please send ")[1].split(" to the maintainers")[0])
    assert "Traceback" in report.read_text()
    report.unlink()


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_with(KeyboardInterrupt()) == INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -c 'from autoscaler.cli.main import main; main()' schema config | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


def test_a_terminal_without_these_characters_is_no_error() -> None:
    command = [sys.executable, "-c", "from autoscaler.cli.main import main; main()", "policies"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "balanced" in done.stdout
