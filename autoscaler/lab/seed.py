"""Keys and addresses made for one lab, and the seed disk that carries a cloud VM's share of them.

Separate because these files are secrets: made here, readable by their owner only, never in an image, gone with the lab.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from autoscaler import keys
from autoscaler.lab.command import run
from autoscaler.lab.layout import Layout, ordinal
from autoscaler.lab.record import Record

SECRET, PUBLIC = 0o600, 0o644
PACKAGE = Path(__file__).resolve().parents[1]
BLOCK_BYTES = 1 << 20  # a disk's size must be a multiple of its block


def make_keys(record: Record) -> None:
    """One key for the host, one for the cloud VMs among themselves, one host key each, and ssh's files that use them; the authority
    that lets controller and agents know each other."""
    for name in ("host", "peer", *(_host_key(shape.name) for shape in record.cloud_vms)):
        _make_key(record, name)
    keys.init(record.layout.keys)
    directory = record.layout.directory
    _write(directory / "ssh", f'#!/bin/sh\nexec ssh -F "{directory}/ssh_config" "$@"\n', 0o700)
    write_ssh_files(record)


def make_host_key(record: Record, cloud_vm: str) -> None:
    """The ssh host key of a cloud VM that joins a lab; an earlier one of that name is replaced."""
    for ending in ("", ".pub"):
        (record.layout.directory / f"{_host_key(cloud_vm)}{ending}").unlink(missing_ok=True)
    _make_key(record, _host_key(cloud_vm))


def _host_key(cloud_vm: str) -> str:
    return f"{cloud_vm}.hostkey"


def _make_key(record: Record, name: str) -> None:
    path = record.layout.directory / name
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{record.name}-{name}", "-f", str(path)])


def write_ssh_files(record: Record) -> None:
    """How ssh reaches each of the cloud VMs, and by which key it knows it."""
    directory = record.layout.directory
    known = []
    for shape in record.cloud_vms:
        public = (directory / f"{shape.name}.hostkey.pub").read_text().split()[:2]
        number = ordinal(shape.name)
        known.append(f"{shape.name},{record.layout.front(number)},{record.layout.back(number)} {' '.join(public)}\n")
    _write(directory / "known_hosts", "".join(known), PUBLIC)
    _write(directory / "ssh_config", _ssh_config(record), SECRET)


def make_seed(record: Record, cloud_vm: str) -> Path:
    """Write the cloud VM's seed disk: a tar archive padded to whole blocks."""
    directory = record.layout.directory
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "env", _environment(record, cloud_vm).encode(), PUBLIC)
        authorized = (directory / "host.pub").read_bytes() + (directory / "peer.pub").read_bytes()
        _add(archive, "authorized_keys", authorized, SECRET)
        _add(archive, "ssh_host_ed25519_key", (directory / _host_key(cloud_vm)).read_bytes(), SECRET)
        _add(archive, "ssh_host_ed25519_key.pub", (directory / f"{cloud_vm}.hostkey.pub").read_bytes(), PUBLIC)
        _add(archive, "id_ed25519", (directory / "peer").read_bytes(), SECRET)
        _add(archive, "known_hosts", (directory / "known_hosts").read_bytes(), PUBLIC)
        for name, content in _agent_keys(record, cloud_vm).items():
            _add(archive, f"keys/{name}", content.encode(), SECRET)
        for module in _agent_modules():
            _add(archive, f"flexcapsule/autoscaler/{module.relative_to(PACKAGE)}", module.read_bytes(), PUBLIC)
    path = directory / f"{cloud_vm}.seed"
    _write(path, packed.getvalue().ljust(-(-packed.tell() // BLOCK_BYTES) * BLOCK_BYTES, b"\0"), SECRET)
    return path


def _agent_keys(record: Record, cloud_vm: str) -> dict[str, str]:
    """A certificate for the agent at both of its addresses: new with every seed, so that a cloud VM that is gone leaves none."""
    number = ordinal(cloud_vm)
    layout = record.layout
    keys.issue(layout.keys, cloud_vm, [layout.front(number), layout.back(number), f"{cloud_vm}.back"])
    held = keys.share(layout.keys, cloud_vm)
    return {"authority.pem": held.authority, f"{cloud_vm}.pem": held.certificate, f"{cloud_vm}.key": held.key}


def _agent_modules() -> list[Path]:
    """The agent as it is here: it wins over the image's, so that working on it needs no new image."""
    return [PACKAGE / "errors.py", *sorted((PACKAGE / "agent").rglob("*.py"))]


def _environment(record: Record, cloud_vm: str) -> str:
    layout, number = record.layout, ordinal(cloud_vm)
    hosts = "\n".join(
        f"{layout.front(ordinal(s.name))} {s.name}\n{layout.back(ordinal(s.name))} {s.name}.back"
        for s in record.cloud_vms
    )
    return (
        f"NAME={cloud_vm}\nFRONT={layout.front(number)}/24\nBACK={layout.back(number)}/24\n"
        f"BACK_NET={layout.back(0)}/24\nHOSTS='{hosts}'\n"
    )


def _ssh_config(record: Record) -> str:
    directory = record.layout.directory
    hosts = "".join(f"Host {s.name}\n    HostName {record.layout.front(ordinal(s.name))}\n" for s in record.cloud_vms)
    return hosts + (
        f'Host *\n    User root\n    IdentityFile "{directory}/host"\n    IdentitiesOnly yes\n'
        f'    UserKnownHostsFile "{directory}/known_hosts"\n    GlobalKnownHostsFile none\n    StrictHostKeyChecking yes\n'
        "    BatchMode yes\n    ConnectTimeout 10\n    LogLevel ERROR\n"
    )


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _write(path: Path, content: str | bytes, mode: int) -> None:
    """Create with its final mode at once: at no instant is a secret readable by others."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def libvirt_uri(layout: Layout, cloud_vm: str) -> str:
    """How the host's libvirt reaches a cloud VM: through ssh, with the lab's keys."""
    return f"xen+ssh://{cloud_vm}/system?command={layout.directory}/ssh"
