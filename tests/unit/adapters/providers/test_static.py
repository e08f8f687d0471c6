"""Hosts that exist: renting takes from the shelf, releasing puts back, and what is in use outlives the controller."""

from __future__ import annotations

import pytest

from autoscaler.adapters.providers.static import Host, StaticHosts
from autoscaler.core.model import CloudVMSize
from autoscaler.errors import ActuationError

SMALL = CloudVMSize("small", 2.0, 1 << 30, 0.05)
BIG = CloudVMSize("big", 4.0, 2 << 30, 0.09)
HOSTS = [
    Host("a", SMALL, "10.0.0.1", "10.1.0.1"),
    Host("b", SMALL, "10.0.0.2", "10.1.0.2"),
    Host("c", BIG, "10.0.0.3", "10.1.0.3"),
]


def test_a_released_host_is_free_to_be_rented_under_another_name():
    kept: list = []
    hosts = StaticHosts(HOSTS, on_change=lambda in_use: kept.append(dict(in_use)))
    assert hosts.catalogue() == ()
    hosts.release("b")
    hosts.release("c")
    assert hosts.catalogue() == (SMALL, BIG)
    for _ in range(2):
        hosts.create("cloud-7-1", SMALL)
    rented = {each.id: (each.agent, each.address) for each in hosts.cloud_vms()}
    assert rented == {"a": ("a", "10.0.0.1"), "cloud-7-1": ("b", "10.0.0.2")}
    again = StaticHosts(HOSTS, kept[-1])
    assert [each.id for each in again.cloud_vms()] == ["a", "cloud-7-1"]


def test_none_free_is_an_error_for_good():
    with pytest.raises(ActuationError, match="no host of size small is free; add one to the config") as refused:
        StaticHosts(HOSTS).create("cloud-7-1", SMALL)
    assert not refused.value.temporary


def test_a_host_that_is_new_in_the_config_is_in_use():
    assert [each.id for each in StaticHosts(HOSTS, {"a": "", "b": "b"}).cloud_vms()] == ["b", "c"]
