"""A cloud VM's serial console as a lab reads it, and QEMU's command line."""

from __future__ import annotations

import pytest

from autoscaler.lab.machine import Progress, arguments, progress
from autoscaler.lab.record import CloudVMShape, Record

BOOTED = """(XEN) Xen version 4.17.5
(XEN) Freed 668kB init memory
about to get started...
flexcapsule: initramfs
flexcapsule: stage xen
flexcapsule: stage network
flexcapsule: stage keys
flexcapsule: ready cv1
"""
LAB = Record("lab", 7, "/images/abc", "tcg", (CloudVMShape("cv1", 1, 768), CloudVMShape("cv2", 2, 512)))


@pytest.mark.parametrize(
    ("lines", "stage"),
    [
        (0, "firmware"),
        (1, "hypervisor"),
        (3, "kernel"),
        (4, "initramfs"),
        (5, "Xen's tools"),
        (6, "network"),
        (7, "keys"),
    ],
)
def test_the_farthest_mark_on_the_console_is_the_stage(lines: int, stage: str) -> None:
    assert progress("\n".join(BOOTED.splitlines()[:lines])) == Progress(stage)


def test_only_the_last_word_of_the_management_vm_makes_it_ready() -> None:
    assert progress(BOOTED) == Progress("ready", ready=True)


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("flexcapsule: failed: oxenstored did not start", "the management VM's start says: oxenstored did not start"),
        ("(XEN) Panic on CPU 0:\n(XEN) Could not find RSDP", "Xen stopped: Could not find RSDP"),
        (
            "Kernel panic - not syncing: VFS: Unable to mount root",
            "the management VM's kernel stopped: VFS: Unable to mount root",
        ),
    ],
)
def test_what_stops_a_start_is_named(said: str, trouble: str) -> None:
    assert progress("about to get started...\n" + said + "\nmore").trouble == trouble


def test_an_early_failure_is_not_hidden_by_a_later_ready() -> None:
    assert progress("flexcapsule: failed: no ssh\n" + BOOTED).trouble


def test_a_machine_has_its_own_disks_taps_and_addresses() -> None:
    argv = " ".join(arguments(LAB, LAB.cloud_vms[1]))
    assert "guest=flexcapsule-lab/lab/cv2 " in argv
    assert "-smp 2 -m 512 " in argv
    assert "ifname=cv2-front" in argv
    assert "mac=52:54:07:00:02:01" in argv
    assert "-kernel /images/abc/xen" in argv


def test_through_the_boot_loader_qemu_is_given_no_kernel() -> None:
    assert "-kernel" not in arguments(LAB, LAB.cloud_vms[0], boot_loader=True)
