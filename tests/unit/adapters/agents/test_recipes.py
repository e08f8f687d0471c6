"""What a start invents: addresses that never collide, uuids that come out the same, digests of files."""

from __future__ import annotations

import hashlib

import pytest

from autoscaler.adapters.agents.recipes import AddressPool, Images, Recipe, parse_pool, uuid_of, written
from autoscaler.core.model import AppVM, Service
from autoscaler.errors import ActuationError, UsageError


def test_addresses_go_round_and_taken_ones_are_passed_over():
    pool = AddressPool("10.9.0.101-10.9.0.104/24")
    assert pool.take({"10.9.0.102"}) == "10.9.0.101/24"
    assert pool.take({"10.9.0.102"}) == "10.9.0.103/24"
    assert [pool.take(()) for _ in range(2)] == ["10.9.0.104/24", "10.9.0.101/24"]
    with pytest.raises(ActuationError, match="all 4 addresses of the pool are taken") as full:
        pool.take(set(pool.addresses))
    assert full.value.temporary


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1",
        "10.0.0.1-10.0.0.9",
        "10.0.0.9-10.0.0.1/24",
        "10.0.0.1-10.0.1.1/24",
        "a-b/24",
        "10.0.0.0-10.9.0.0/8",
    ],
)
def test_what_is_no_pool(text):
    with pytest.raises(UsageError):
        parse_pool(text)


def test_the_same_start_is_the_same_app_vm_and_another_journals_is_another():
    assert uuid_of("e1", "web-1-1") == uuid_of("e1", "web-1-1") != uuid_of("e2", "web-1-1")


def test_a_description_has_its_image_by_digest_and_its_journal_as_a_label(tmp_path):
    (tmp_path / "x.elf").write_bytes(b"one")
    images, recipe = Images(tmp_path), Recipe(Service("web"), "x.elf", (("A", "1"),), ("-v",))
    spec = written(AppVM("web-1-1", "web"), recipe, images, epoch="e", address="10.0.0.7/24", gateway="10.0.0.1")
    assert spec.image == hashlib.sha256(b"one").hexdigest()
    assert (spec.environment, spec.arguments, spec.gateway) == ({"A": "1"}, ("-v",), "10.0.0.1")
    assert spec.labels == {"flexcapsule.epoch": "e"}
    (tmp_path / "x.elf").write_bytes(b"another")
    assert images.digest("x.elf") == hashlib.sha256(b"another").hexdigest(), "a new build is a new image"


def test_what_no_agent_would_start_is_refused_for_good(tmp_path):
    (tmp_path / "x.elf").write_bytes(b"one")
    images = Images(tmp_path)
    for app_vm, image in ((AppVM("web", memory_bytes=1), "x.elf"), (AppVM("web"), "y.elf"), (AppVM("a b"), "x.elf")):
        with pytest.raises(ActuationError) as refused:
            written(app_vm, Recipe(Service("web"), image), images, epoch="e", address="", gateway="")
        assert not refused.value.temporary
