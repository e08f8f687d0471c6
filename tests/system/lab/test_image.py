"""The image: what it is made of is written down, and making it again needs no network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from autoscaler.lab.layout import cache_directory, image_sources

pytestmark = pytest.mark.system


def test_the_manifest_names_every_file_and_its_digest(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    assert set(manifest["files"]) == {path.name for path in built.iterdir()} - {"manifest.json"}
    for name in ("xen", "vmlinuz", "initrd.img"):
        assert manifest["files"][name]["sha256"] == hashlib.sha256((built / name).read_bytes()).hexdigest()
    assert {"xen-hypervisor-4.17-amd64", "xen-utils-4.17", "libvirt-daemon-driver-xen", "python3-pyxs"} <= set(
        manifest["packages"]
    )


def test_no_key_and_no_password_is_in_the_image(built: Path) -> None:
    listed = subprocess.run(
        ["debugfs", "-R", "ls -p /etc/ssh", f"{built / 'disk.img'}?offset=1048576"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "sshd_config" in listed
    assert "ssh_host" not in listed


def test_a_build_from_the_cache_needs_no_network(built: Path, tmp_path: Path) -> None:
    """The whole builder in a namespace without any network, with other settings so that it has something to do: also the agent
    in the image, which a lab brings on its seed."""
    environment = {**os.environ, "CACHE": str(tmp_path), "IMAGE_MB": "600", "AGENT": "image"}
    (tmp_path / "debs").symlink_to(cache_directory() / "debs")
    done = subprocess.run(
        ["unshare", "--net", "nice", str(image_sources() / "build.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "packages from the cache" in done.stderr
    again = json.loads(Path(done.stdout.strip(), "manifest.json").read_text())
    first = json.loads((built / "manifest.json").read_text())
    for name in ("xen", "vmlinuz", "initrd.img"):
        assert again["files"][name]["sha256"] == first["files"][name]["sha256"], f"{name} is not reproducible"
    for name in (
        "linux/vmlinux",
        "linux/initrd.img",
        "linux/linux.cfg",
    ):  # a file system carries the time it was made at
        rebuilt = Path(done.stdout.strip(), "guests.img")
        assert content(rebuilt, name) == content(built / "guests.img", name), f"{name} is not reproducible"
    told = in_the_image(Path(done.stdout.strip(), "disk.img"), tmp_path / "root", "python3 -m autoscaler.agent --help")
    assert "Runs the app VMs of this cloud VM" in told


def in_the_image(disk: Path, place: Path, command: str) -> str:
    """What a command prints that is run in the image's root file system, as its init runs the agent."""
    place.mkdir()
    mounted = f"mount -o ro,loop,offset=1048576 {disk} {place} && PYTHONPATH=/usr/lib/flexcapsule exec chroot {place} {command}"
    ran = subprocess.run(["unshare", "--mount", "sh", "-c", mounted], capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def content(disk: Path, name: str) -> bytes:
    """A file on an ext4 disk image."""
    dumped = subprocess.run(["debugfs", "-R", f"cat /{name}", disk], capture_output=True, check=True).stdout
    assert len(dumped) > 0, f"there is no {name} on {disk.name}"
    return dumped
