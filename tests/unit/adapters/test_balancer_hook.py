"""A load balancer of the operator's: what its program is told, and what its exit status means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoscaler.adapters.balancer_hook import Hook
from autoscaler.errors import ActuationError


def program(tmp_path: Path, body: str) -> list[str]:
    path = tmp_path / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return [str(path)]


def test_it_is_told_all_that_runs(tmp_path: Path) -> None:
    hook = Hook(program(tmp_path, f'[ "$1" = keep ] && cat > {tmp_path}/told'))
    hook.keep({"web": {"web-1": "10.0.0.1:80"}, "api": {}})
    assert json.loads((tmp_path / "told").read_text()) == {"replicas": {"web": {"web-1": "10.0.0.1:80"}, "api": {}}}


def test_its_status_says_whether_an_app_vm_is_drained(tmp_path: Path) -> None:
    hook = Hook(program(tmp_path, '[ "$1 $2" = "drained web-1" ]'))
    assert hook.drained("web-1")
    assert not hook.drained("web-2")


def test_its_no_holds_nothing_up_for_ever_and_patience_begins_anew_when_the_app_vm_runs_again(tmp_path: Path) -> None:
    now = [0.0]
    hook = Hook(program(tmp_path, '[ "$1" = keep ]'), steady=lambda: now[0])
    assert not hook.drained("web-1")
    now[0] = 20.0
    hook.keep({"web": {"web-1": "10.0.0.1:80"}})
    assert not hook.drained("web-1")
    now[0] = 49.9
    assert not hook.drained("web-1")
    now[0] = 50.0
    assert hook.drained("web-1")


def test_a_failure_carries_its_words(tmp_path: Path) -> None:
    hook = Hook(program(tmp_path, "echo no such pool >&2; exit 3"))
    with pytest.raises(ActuationError, match=r"keep` failed \(3\): no such pool") as failed:
        hook.keep({})
    assert failed.value.temporary
    with pytest.raises(ActuationError, match=r"drained` failed \(3\)"):
        hook.drained("web-1")
    with pytest.raises(ActuationError, match=r"/nowhere cannot be run .* load_balancer\.hook"):
        Hook(["/nowhere"]).keep({})
