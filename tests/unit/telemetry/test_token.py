"""The token file: made once, for its owner only, and refused where others could have read it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autoscaler.errors import UsageError
from autoscaler.telemetry.token import matches, read, read_or_make


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_or_make(path)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == read(path) == token


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    read_or_make(path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match=r"others can read .*chmod 600"):
        read_or_make(path)


def test_one_that_is_too_short_to_be_a_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    with pytest.raises(UsageError, match="has 0 characters, needed 32"):
        read_or_make(path)


def test_none_and_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the token file"):
        read(tmp_path / "token")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write the token file"):
        read_or_make(tmp_path / "file" / "token")


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    token = read_or_make(tmp_path / "var" / "token")
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert read(tmp_path / "var" / "token") == token


def test_only_the_whole_token_matches() -> None:
    token = "t" * 43
    assert matches("Bearer " + token, token)
    assert not any(matches(header, token) for header in ("", token, "Bearer", "Bearer " + token[:-1], "Bearer é"))
