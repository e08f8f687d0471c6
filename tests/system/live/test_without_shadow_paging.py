"""Debian's security build of Xen cannot note dirty pages: there app VMs are stopped, copied and go on, and nothing else is pretended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_labs import fresh_lab

from autoscaler.lab.heartbeat import Watch, heard
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system

MEMORY_MIB, PATIENCE_S, BEATS_S = 640, 300.0, 2.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Record]:
    with fresh_lab("no shadow paging", patience_s=PATIENCE_S, hypervisor="newest") as made:
        yield made


def test_it_is_stopped_copied_and_goes_on_with_its_connections(lab: Record, agent_of, built: Path) -> None:
    source, target = agent_of("cv1"), agent_of("cv2")
    assert [each.await_answer()["can_log_dirty"] for each in (source, target)] == [False, False]
    app_vm = source.start(built / "pulse.elf", "pulse", arguments=["7", "5"])
    to = {"uuid": app_vm, "target": "cv2", "address": lab.layout.back(2)}
    refused = source.step("migrate", live="true", **to)
    assert refused["outcome"] == "failed"
    assert "ask for live=auto" in refused["reason"]
    with Watch(source.report(app_vm)["spec"]["address"].partition("/")[0]) as watch:
        time.sleep(BEATS_S)
        moved = source.step("migrate", **to)
        time.sleep(BEATS_S)
    assert moved["outcome"] == "done", moved
    beats = heard(watch.arrivals)
    assert (beats.lost, watch.connection) == (0, "intact")
    assert 0 < beats.largest_gap_s < moved["total_s"] + BEATS_S
    target.started.append(app_vm)
    assert target.report(app_vm)["state"] == "running"
