"""Labs of test runs do not take each other's name, and those of a run that was killed are known as such."""

from __future__ import annotations

import os
import subprocess

from own_labs import LETTERS, lab_name, orphans

from autoscaler.lab.layout import Layout


def test_every_lab_of_one_run_has_a_name_of_its_own_that_is_one():
    names = [lab_name(whose) for whose in LETTERS]
    assert len(set(names)) == len(names)
    assert [Layout(name).name for name in names] == names


def test_those_of_a_run_that_is_no_more_are_found_and_no_others(tmp_path, monkeypatch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setenv("FLEXCAPSULE_CACHE", str(tmp_path))
    for name in (f"t{gone.pid}c", f"t{os.getpid()}c", f"t{gone.pid}z", "mine"):
        Layout(name).directory.mkdir(parents=True)
        (Layout(name).directory / "lab.json").write_text("{}")
    assert orphans() == [f"t{gone.pid}c"]
