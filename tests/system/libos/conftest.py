"""FlexCapsule OS in a lab of its own: built from source, booted once for all tests of this room.

FLEXCAPSULE_LAB=NAME uses a lab that is up already (while working on the library OS); FLEXCAPSULE_MOVES=50 is the long form.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from own_labs import fresh_lab

from autoscaler.errors import ActuationError
from autoscaler.lab import reach, record
from autoscaler.lab.record import Record

LIBOS = Path(__file__).resolve().parents[3] / "libos"
MEMORY_MIB = 640
PATIENCE_S = 240.0
BUILD_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class AppVM:
    lab: Record
    name: str
    address: str

    def console(self) -> str:
        """All that it said, on whichever cloud VM."""
        logs = f"cat /var/log/xen/guest-{self.name}.log /var/log/xen/guest-{self.name}--incoming.log 2>/dev/null"
        return "".join(reach.said(self.lab, shape.name, logs, check=False) for shape in self.lab.cloud_vms)

    def await_line(self, words: str, patience_s: float = 60.0) -> str:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            console = self.console()
            if words in console or "FAIL" in console or "panic" in console:
                break
            time.sleep(0.5)
        assert words in console, console
        return console

    def condition(self) -> str:
        """For a failed test: what it said, and what it and its backends left in XenStore."""
        look = f"xl list; xenstore-ls /local/domain/$(xl domid {self.name}); xenstore-ls /local/domain/0/backend; dmesg | tail -5"
        return self.console() + "".join(reach.said(self.lab, s.name, look, check=False) for s in self.lab.cloud_vms)

    def stored(self, cloud_vm: str, key: str) -> str:
        read = f"xenstore-read /local/domain/$(xl domid {self.name})/data/flexcapsule/{key}"
        return reach.said(self.lab, cloud_vm, read).strip()


@pytest.fixture(scope="session")
def built() -> Path:
    tried = subprocess.run(
        ["make", "-C", str(LIBOS), "all", "guest-tests"],
        capture_output=True,
        text=True,
        timeout=BUILD_PATIENCE_S,
        check=False,
    )
    if "missing Debian packages" in tried.stderr or "could not get the source package" in tried.stderr:
        pytest.skip(tried.stderr.strip())
    assert tried.returncode == 0, tried.stdout + tried.stderr
    return LIBOS / "build"


@pytest.fixture(scope="session")
def lab(built) -> Iterator[Record]:
    if standing := os.environ.get("FLEXCAPSULE_LAB"):
        yield record.existing(standing)
        return
    with fresh_lab("libos", patience_s=PATIENCE_S) as made:
        yield made


@pytest.fixture
def app_vm(lab, built, tmp_path) -> Callable[..., AbstractContextManager[AppVM]]:
    """`with app_vm("pulse", memory_mib=16, arguments=..., files={...}) as running:`; gone afterwards, wherever it is."""

    @contextmanager
    def start(
        program: str,
        *,
        memory_mib: int,
        settings: str = "",
        arguments: str = "",
        files: dict[str, str] | None = None,
        disk: str = "",
        network: str = "",
    ) -> Iterator[AppVM]:
        address = lab.layout.front(150)
        stripped, name = tmp_path / f"{program}.elf", f"os-{program}"
        subprocess.run(["strip", "-o", stripped, built / f"{program}.elf"], check=True)
        extra = f"{network or f'ip={address}/24'} {settings} -- {arguments}"
        lines = [
            f'name="{name}"',
            'type="pv"',
            f'kernel="/root/{stripped.name}"',
            f"memory={memory_mib}",
            f"extra='{extra}'",
            'vif=["bridge=xenbr0,script=vif-fast"]',
            'on_poweroff="preserve"',
            'on_crash="preserve"',
        ]
        if disk:
            lines.append(f'disk=["{disk}"]')
        sent = [stripped]
        if files:
            sent.append(archive(tmp_path, files))
            lines.append('ramdisk="/root/files.cpio"')
        config = tmp_path / f"{name}.cfg"
        config.write_text("\n".join(lines) + "\n")
        reach.copy(lab, "cv1", [*sent, config], "/root/")
        for shape in lab.cloud_vms:
            reach.said(lab, shape.name, f"rm -f /var/log/xen/guest-{name}*.log", check=False)
        reach.said(lab, "cv1", f"xl create -q /root/{config.name}")
        try:
            running = AppVM(lab, name, address)
            yield running
        except BaseException:
            print(running.condition())
            raise
        finally:
            for shape in lab.cloud_vms:
                with suppress(ActuationError):
                    reach.said(lab, shape.name, f"xl destroy {name} 2>/dev/null; true")

    return start


# The stock block script takes longer under emulation than the toolstack waits; this one says the same.
BLOCK = """#!/bin/sh
[ "$1" = add ] || exit 0
disk=$(xenstore-read "$XENBUS_PATH/params")
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c %t:%T "$disk")" "$XENBUS_PATH/hotplug-status" connected
"""


@pytest.fixture
def loop_disk(lab) -> str:
    """Two megabytes of disk on cv1, as xl's configuration has it."""
    prepare = f"""cat > /etc/xen/scripts/block-fast <<'X'
{BLOCK}X
chmod +x /etc/xen/scripts/block-fast
modprobe loop; modprobe xen-blkback
dd if=/dev/zero of=/root/disk.img bs=1M count=2 2>/dev/null
losetup -j /root/disk.img | grep -q . || losetup /dev/loop5 /root/disk.img"""
    reach.said(lab, "cv1", prepare)
    return "/dev/loop5,raw,xvda,w,script=block-fast"


def archive(directory: Path, files: dict[str, str]) -> Path:
    root = directory / "files"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    packed = directory / "files.cpio"
    with packed.open("wb") as out:
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*"))) + "\n"
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)
    return packed
