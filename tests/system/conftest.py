"""One lab of two cloud VMs for all rooms of tests/system, and what needs none before it: a lab that idles takes most of a core.

FLEXCAPSULE_LAB=NAME uses a lab that is up already (while working on what runs in it): its agents are brought to the checkout's version.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from own_labs import fresh_lab

from autoscaler.lab import reach, record, seed
from autoscaler.lab.record import Record

PATIENCE_S = 600.0  # a cloud VM is ready within 30 s on two free cores; a busy machine takes many times that


@pytest.fixture(scope="session")
def lab() -> Iterator[Record]:
    if standing := os.environ.get("FLEXCAPSULE_LAB"):
        there = record.existing(standing)
        _bring_up_to_date(there)
        yield there
        return
    with fresh_lab("lab", patience_s=PATIENCE_S) as made:
        yield made


def _bring_up_to_date(lab: Record) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for module in seed._agent_modules():
            archive.add(module, f"autoscaler/{module.relative_to(seed.PACKAGE)}")
    for shape in lab.cloud_vms:
        take = "mkdir -p /run/seed/flexcapsule && tar x -C /run/seed/flexcapsule && kill $(pidof python3)"
        subprocess.run(reach.ssh_argv(lab, shape.name, [take]), input=packed.getvalue(), check=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)  # stable: otherwise as collected


def _turn(item: pytest.Item) -> int:
    """0: without the standing lab. 1: in it. 2: breaks its cloud VMs, too."""
    found = getattr(item, "_fixtureinfo", None)
    labs = found.name2fixturedefs.get("lab") if found else None
    if not labs or labs[-1].scope != "session":  # the last is the one that it gets: some have a lab of their own
        return 0
    return 2 if "stage" in found.name2fixturedefs else 1
