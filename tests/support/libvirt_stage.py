"""Two libvirt daemons on one machine, each with directories of its own, in a network namespace of theirs: two hosts for plain QEMU guests.

The guest is the lab's Linux echo guest, its one network driver exchanged for QEMU's. All processes are ended by id; mounts and interfaces
go with the namespaces.
"""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from autoscaler.adapters.libvirt_domains import LibvirtHost, LibvirtHosts, Making
from autoscaler.lab.layout import cache_directory, image_sources

CLONE_NEWNET = 0x40000000
PATIENCE_S = 60.0
PREFIX = "10.99.0"
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
)  # fmt: skip  in the order in which they may be loaded
ONE_MODULE = 'load_module("/xen-netfront.ko");'
COMMAND_LINE = "console=ttyS0 quiet app.ip={address}"

DAEMON = """
set -e
mkdir -p "$1"/etc "$1"/run "$1"/lib "$1"/log/qemu "$1"/cache
cat > "$1/etc/libvirtd.conf" <<END
unix_sock_dir = "$1"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
host_uuid = "$2"
log_outputs = "3:file:$1/libvirtd.log"
END
cat > "$1/etc/qemu.conf" <<END
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
migration_port_min = $3
migration_port_max = $(($3 + 99))
END
for pair in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
    mkdir -p "${pair#*:}"
    mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
# The driver looks for its usual user before it reads that it shall use another one.
for file in passwd group; do cp "/etc/$file" "$1/$file"; done
echo "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin" >> "$1/passwd"
echo "libvirt-qemu:x:64055:" >> "$1/group"
for file in passwd group; do mount --bind "$1/$file" "/etc/$file"; done
exec libvirtd --config "$1/etc/libvirtd.conf" --pid-file "$1/libvirtd.pid"
"""


def missing() -> str:
    """Why this machine cannot have them, "" where it can."""
    if os.geteuid() != 0:
        return "two libvirt daemons need root (mount and network namespaces)"
    programs = ("libvirtd", "qemu-system-x86_64", "ip", "unshare", "gcc", "debugfs", "dpkg-deb", "cpio")
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}; `deploy/setup/packages.sh libvirt` installs them" if absent else ""


def make_guest(image: Path, directory: Path) -> None:
    """`vmlinux` and `echo.cpio` in `directory`, from the lab's image and the kernel package that it was made of."""
    for name in ("vmlinux",):
        subprocess.run(
            ["debugfs", "-R", f"dump /linux/{name} {directory / name}", image / "guests.img"],
            capture_output=True,
            check=True,
        )
    named = json.loads((image / "manifest.json").read_text())["packages"]
    name = next(package for package in named if package.endswith("-cloud-amd64"))  # the modules must be this kernel's
    package = next(iter(sorted(cache_directory().glob(f"debs/*/{name}_{named[name].replace(':', '%3a')}_*.deb"))))
    tree, boot = directory / "kernel", directory / "boot"
    subprocess.run(["dpkg-deb", "-x", package, tree], check=True)
    for name in ("dev", "proc"):
        (boot / name).mkdir(parents=True)
    for name in MODULES:
        shutil.copy(next(tree.rglob(f"{name}.ko")), boot)
    source = (image_sources() / "guest" / "echo.c").read_text()
    assert source.count(ONE_MODULE) == 1, "the echo guest loads its driver in another way now"
    written = directory / "echo.c"
    written.write_text(source.replace(ONE_MODULE, "".join(f'load_module("/{name}.ko");' for name in MODULES)))
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-o", boot / "init", written], check=True)
    names = "\n".join(sorted(str(path.relative_to(boot)) for path in boot.rglob("*")))
    packed = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc"], cwd=boot, input=names.encode(), capture_output=True, check=True
    ).stdout
    (directory / "echo.cpio").write_bytes(gzip.compress(packed, 1))
    shutil.rmtree(tree)


class TwoHosts:
    """`directory`: an empty one with a short path (sockets live there). Close it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.namespace = directory, f"fclv-{os.getpid()}"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        inside = ["ip", "-n", self.namespace]
        for argv in (
            ["ip", "netns", "add", self.namespace],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"],
            [*inside, "link", "set", "br0", "up"],
            [*inside, "addr", "add", f"{PREFIX}.254/24", "dev", "br0"],
        ):  # fmt: skip
            subprocess.run(argv, check=True)
        self._inside = ThreadPoolExecutor(4, initializer=self._enter)
        for name in ("a", "b"):
            self.start(name)

    def uri(self, name: str) -> str:
        return f"qemu+unix:///system?socket={self.directory / name / 'libvirt-sock'}"

    def hosts(self) -> list[LibvirtHost]:
        return [LibvirtHost(name, self.uri(name), self.uri(name), "tcp://127.0.0.1") for name in ("a", "b")]

    def making(self, images: Path) -> Making:
        return Making(
            "qemu",
            str(images),
            bridge="br0",
            command_line=COMMAND_LINE,
            consoles="/var/log/libvirt/qemu",
            emulated=True,
        )

    def start(self, name: str) -> None:
        """A daemon; again after it was killed, with what it left."""
        place, number = self.directory / name, ord(name)
        place.mkdir(exist_ok=True)
        (place / "libvirt-sock").unlink(missing_ok=True)
        argv = ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "sh", "-c", DAEMON, "sh"]
        argv += [str(place), f"11111111-2222-3333-4444-{number:012d}", str(49000 + 100 * (number - 96))]
        with (place / "said").open("wb") as said:
            self._daemons[name] = subprocess.Popen(argv, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not (place / "libvirt-sock").exists():
            assert self._daemons[name].poll() is None, (place / "said").read_text()
            assert time.monotonic() < deadline, (place / "libvirtd.log").read_text()
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """The daemon only: its guests live on."""
        self._daemons[name].kill()
        self._daemons[name].wait()

    def within(self, what: Callable[[], object]) -> Future[object]:
        """Run it in a thread that sees the guests' network."""
        return self._inside.submit(what)

    def guests(self) -> list[str]:
        """Names of the QEMU processes there are, asked of nobody but the kernel."""
        lines = (_command_line(pid) for pid in self._pids())
        return sorted(line.split("guest=")[1].split(",")[0] for line in lines if "guest=" in line)

    def close(self) -> None:
        self._inside.shutdown()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, sign)
            deadline = time.monotonic() + 10.0
            while self._pids() and time.monotonic() < deadline:
                time.sleep(0.05)
                for daemon in self._daemons.values():
                    daemon.poll()
        for daemon in self._daemons.values():
            daemon.wait(10)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=True)

    def _pids(self) -> list[int]:
        said = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        ).stdout
        return [int(pid) for pid in said.split() if int(pid) != os.getpid()]

    def _enter(self) -> None:
        with Path("/run/netns", self.namespace).open() as namespace:
            assert ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) == 0


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def runtimes(stage: TwoHosts, on_hosts: Path, **more) -> LibvirtHosts:
    return LibvirtHosts(stage.hosts(), stage.making(on_hosts), **more)
