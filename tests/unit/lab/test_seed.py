"""Secrets of a lab: made fresh, readable by their owner only, and exactly what a cloud VM is told."""

from __future__ import annotations

import os
import shutil
import tarfile

import pytest

from autoscaler import keys
from autoscaler.lab import seed
from autoscaler.lab.record import CloudVMShape, Record

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed (openssh-client)"
)


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Record:
    monkeypatch.setenv("FLEXCAPSULE_CACHE", str(tmp_path))
    made = Record("lab", 3, "/images/abc", "tcg", (CloudVMShape("cv1", 1, 768), CloudVMShape("cv2", 1, 768)))
    made.layout.directory.mkdir(parents=True, mode=0o700)
    os.umask(0)
    try:
        seed.make_keys(made)
        seed.make_seed(made, "cv1")
    finally:
        os.umask(0o022)
    return made


def test_every_private_file_is_its_owners_alone_even_without_umask(lab: Record) -> None:
    public = {"known_hosts", "host.pub", "peer.pub", "cv1.hostkey.pub", "cv2.hostkey.pub"}
    open_to_others = {path.name for path in lab.layout.directory.iterdir() if path.stat().st_mode & 0o077}
    assert open_to_others <= public


def test_the_seed_is_whole_blocks_of_a_tar_archive_that_says_who_the_cloud_vm_is(lab: Record) -> None:
    path = lab.layout.file("cv1.seed")
    assert path.stat().st_size % seed.BLOCK_BYTES == 0
    with tarfile.open(path) as archive:
        environment = archive.extractfile("env").read().decode()
        assert {entry.name for entry in archive if entry.mode & 0o077 == 0} >= {"ssh_host_ed25519_key", "id_ed25519"}
    assert "NAME=cv1\nFRONT=10.77.3.1/24\nBACK=10.78.3.1/24\n" in environment
    assert "10.78.3.2 cv2.back" in environment


def test_the_seed_carries_the_agents_keys_and_nobody_elses(lab: Record) -> None:
    with tarfile.open(lab.layout.file("cv1.seed")) as archive:
        carried = {entry.name: entry.mode for entry in archive if entry.name.startswith("keys/")}
    assert carried == dict.fromkeys(("keys/authority.pem", "keys/cv1.pem", "keys/cv1.key"), 0o600)
    held = keys.read(lab.layout.keys, "cv1")
    assert (held.uri, held.addresses) == ("flexcapsule://agent/cv1", ("10.77.3.1", "10.78.3.1"))
    assert lab.layout.keys.stat().st_mode & 0o777 == 0o700


def test_hosts_are_known_before_the_first_connection(lab: Record) -> None:
    key = lab.layout.file("cv2.hostkey.pub").read_text().split()[1]
    assert f"cv2,10.77.3.2,10.78.3.2 ssh-ed25519 {key}" in lab.layout.file("known_hosts").read_text()
    assert "StrictHostKeyChecking yes" in lab.layout.file("ssh_config").read_text()
