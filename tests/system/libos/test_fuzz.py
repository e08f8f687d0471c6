"""The readers of what others wrote (rings, XenStore's wire, the archive) under libFuzzer and the sanitizers, for a bounded time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

FUZZ_S = int(os.environ.get("FLEXCAPSULE_FUZZ_S", "10"))
TARGETS = 3
HOST_TESTS = Path(__file__).resolve().parents[3] / "libos/tests/host"


def test_libfuzzer_finds_nothing() -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed: deploy/setup/packages.sh fuzz")
    fuzzed = subprocess.run(
        ["make", "-C", str(HOST_TESTS), "fuzz", f"FUZZ_S={FUZZ_S}"],
        capture_output=True,
        text=True,
        timeout=TARGETS * (FUZZ_S + 60),
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-4000:] + fuzzed.stderr[-4000:]
    assert fuzzed.stderr.count("INFO: Running with") == TARGETS, fuzzed.stderr[-4000:]
