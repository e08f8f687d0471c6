"""Cluster files to complete observations; what the engine makes of one. The refusals stand in tests/malformed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from autoscaler.core.model import AppVM, CloudVMState
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY
from autoscaler.policylang import read_cluster

GIB, MIB = 1 << 30, 1 << 20
TEXT = """
at: 2026-03-01T08:00:00+01:00
catalogue:
  - {name: large, cores: 8, memory: 16GiB, price_per_hour: 0.192}
cloud_vms:
  - {id: cloud-1, size: large}
  - {id: cloud-2, size: large, state: cordoned}
services:
  - {id: web, max_replicas: 6, replica: {cores: 0.5, memory: 128MiB, apart_from: [web], downtime_budget: 1s}}
  - {id: api, min_replicas: 0, max_replicas: 2}
app_vms:
  - {id: web-1, service: web, on: cloud-1, usage: {cores: 0.25, memory: 90MiB, dirty: 8MB/s, age: 30s}}
  - {id: web-2, service: web, on: cloud-2, memory: 256MiB, apart_from: [], downtime_budget: none}
  - {id: api-1, service: api, cores: 2, labels: {tier: back}}
  - {id: db, on: cloud-1, pinned_to: cloud-1, apart_from: [web, api-1]}
"""


@pytest.fixture
def observed(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return read_cluster(file)


def test_who_is_there(observed):
    assert [(c.id, c.size.name, c.state) for c in observed.cloud_vms] == [
        ("cloud-1", "large", CloudVMState.ACTIVE),
        ("cloud-2", "large", CloudVMState.CORDONED),
    ]
    assert observed.catalogue[0].memory_bytes == 16 * GIB
    assert observed.app_vms == (
        AppVM("web-1", "web", 0.5, 128 * MIB, apart_from=("web",), downtime_budget_s=1.0),
        AppVM("web-2", "web", 0.5, 256 * MIB),
        AppVM("api-1", "api", 2.0, 64 * MIB, labels=(("tier", "back"),)),
        AppVM("db", "", 1.0, 64 * MIB, pinned_to="cloud-1", apart_from=("web", "api-1")),
    )


def test_a_new_replica_looks_like_the_service_says_or_like_its_first_app_vm(observed):
    web, api = observed.services
    assert (web.min_replicas, web.max_replicas) == (1, 6)
    assert web.template == AppVM("", "web", 0.5, 128 * MIB, apart_from=("web",), downtime_budget_s=1.0)
    assert (api.min_replicas, api.template.cores) == (0, 2.0)


def test_who_runs_where_and_what_was_measured(observed):
    assert observed.at == 1772348400.0
    assert observed.placement.tolist() == [0, 1, -1, 0]
    assert (observed.at - observed.sampled_at).tolist() == [30.0, 0.0, 0.0, 0.0]
    np.testing.assert_array_equal(observed.samples[CPU], [0.25, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(observed.samples[MEMORY], [90 * MIB, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(observed.samples[DIRTY], [8e6, np.nan, np.nan, np.nan])


def test_ten_thousand_app_vms_are_no_burden(tmp_path):
    lines = ["catalogue:", "  - {name: large, cores: 8, memory: 16GiB, price_per_hour: 0.2}", "cloud_vms:"]
    lines += [f"  - {{id: cloud-{n}, size: large}}" for n in range(1000)]
    lines += ["app_vms:"]
    lines += [
        f"  - {{id: app-{n}, cores: 1, memory: 64MiB, on: cloud-{n % 1000}, usage: {{cores: 0.3, memory: 50MiB, dirty: 1MB/s}}}}"
        for n in range(10_000)
    ]
    file = tmp_path / "big.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    began = time.process_time()
    assert len(read_cluster(file).app_vms) == 10_000
    assert time.process_time() - began < 10.0
