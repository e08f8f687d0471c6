"""Whether KVM truly works here: asked by booting Xen and Linux with it, not by the presence of /dev/kvm.

Separate because the answer is remembered: on some machines the device exists and cannot boot a stock kernel.
"""

from __future__ import annotations

import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.lab import machine
from autoscaler.lab.layout import cache_directory

DEVICE = Path("/dev/kvm")
LONGEST_S = 20.0  # with working hardware the probe takes about 3 s; a hang is an answer
POLL_S = 0.1
PASSED = "flexcapsule: probe ok"


def choose(wanted: str, image: Path, say: Callable[[str], None]) -> str:
    """`kvm` or `tcg`. Raises UsageError when KVM is demanded and does not boot."""
    if wanted == "tcg":
        return "tcg"
    works, why = probe(image)
    if works:
        return "kvm"
    if wanted == "kvm":
        raise UsageError(f"KVM cannot boot Xen here ({why}); use --accelerator tcg, which emulates")
    say(f"KVM is not usable here ({why}): emulating")
    return "tcg"


def probe(image: Path) -> tuple[bool, str]:
    """Whether KVM boots this image's Xen and Linux, and why not. Remembered per image, kernel and start of this machine."""
    if not DEVICE.exists():
        return False, f"no {DEVICE}"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memory, key = cache_directory() / "kvm.json", f"{image.name} {platform.release()} {boot}"
    try:
        remembered = json.loads(memory.read_text())
    except (OSError, ValueError):
        remembered = {}
    if remembered.get("key") != key:
        works, why = _boot(image)
        remembered = {"key": key, "works": works, "why": why}
        memory.write_text(json.dumps(remembered))
    return bool(remembered["works"]), str(remembered["why"])


def _boot(image: Path) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory(prefix="flexcapsule-kvm-") as directory:
        console = Path(directory, "console.log")
        modules = f"{image / 'vmlinuz'} {machine.LINUX_OPTIONS} flexcapsule.probe,{image / 'initrd.img'}"
        argv = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "qemu-system-x86_64",
            *machine.accelerator_options("kvm"),
            "-m",
            "512",
        ]
        argv += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{console}"]
        argv += ["-kernel", str(image / "xen"), "-append", machine.XEN_OPTIONS, "-initrd", modules]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as qemu:
            try:
                return _verdict(qemu, console)
            finally:
                qemu.kill()


def _verdict(qemu: subprocess.Popen[bytes], console: Path) -> tuple[bool, str]:
    """Wait until the trial start passes, ends or hangs."""
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline and qemu.poll() is None and PASSED not in _text(console):
        time.sleep(POLL_S)
    if PASSED in _text(console):
        return True, ""
    stage = machine.progress(_text(console)).stage
    if qemu.poll() is None:
        return False, f"a trial start hung at stage: {stage}"
    said = qemu.communicate()[1].decode(errors="replace").strip().splitlines()
    return False, f"a trial start ended at stage: {stage}" + (f", {said[0]}" if said else "")


def _text(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""
