"""A cloud VM that died boots again: with what it had written for good, a sound file system, and the keys it was given last."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest
from patience import PATIENCE_S, patiently

from autoscaler import keys
from autoscaler.adapters.rotation import Trustee, rotate
from autoscaler.agent.command.conversation import remote
from autoscaler.errors import FlexCapsuleError
from autoscaler.lab import bringup, machine, reach
from autoscaler.lab.layout import ordinal
from autoscaler.lab.record import Record

pytestmark = pytest.mark.system
VICTIM = "cv2"
WRITING = (
    "while true; do n=$((n + 1)); echo $n > /var/lib/written.part; mv /var/lib/written.part /var/lib/written; "
    "sync; echo $n > /run/synced; done"
)
MENDED = "the root file system was mended"


def die(lab: Record) -> None:
    os.kill(int(lab.layout.file(f"{VICTIM}.pid").read_text()), signal.SIGKILL)
    patiently(lambda: not machine.running(lab.layout, VICTIM))


def live_again(lab: Record) -> None:
    """The same machine with the same disks."""
    shape = next(shape for shape in lab.cloud_vms if shape.name == VICTIM)
    machine.start(lab, shape)
    bringup.wait_ready(lab, lambda _: None, patience_s=PATIENCE_S)


def agents_answer(lab: Record) -> bool:
    """All of them: a lab is ready when ssh answers, and an agent needs some seconds more."""
    with suppress(FlexCapsuleError):
        for shape in lab.cloud_vms:
            address = lab.layout.front(ordinal(shape.name))
            remote(shape.name, address, "", keys.context(lab.layout.keys)).ask("GET", "/v1/host")
        return True
    return False


def test_what_was_written_is_there_and_the_keys_are_the_newest(lab: Record):
    patiently(lambda: agents_answer(lab))
    agents = [Trustee(shape.name, lab.layout.front(ordinal(shape.name))) for shape in lab.cloud_vms]
    rotate(lab.layout.keys, agents, print)
    reach.said(lab, VICTIM, f"setsid sh -c '{WRITING}' > /dev/null 2>&1 &")
    synced = int(str(patiently(lambda: reach.said(lab, VICTIM, "cat /run/synced", check=False).strip())))
    die(lab)
    live_again(lab)
    assert int(reach.said(lab, VICTIM, "cat /var/lib/written")) >= synced
    patiently(lambda: agents_answer(lab))


def test_a_file_system_with_errors_is_mended_before_it_is_used(lab: Record):
    """A name whose file is gone, and the kernel's own note that something is wrong. Broken while nobody writes: sysrq's u is an
    emergency remount, read-only."""
    breaking = (
        "echo here > /victim; sync; echo 1 > /sys/fs/ext4/vda1/trigger_fs_error; sync; echo u > /proc/sysrq-trigger; "
        "until grep -q ' / ext4 ro' /proc/mounts; do sleep 1; done; debugfs -w -R 'clri /victim' /dev/vda1 2>&1; sync"
    )
    reach.said(lab, VICTIM, breaking)
    die(lab)
    live_again(lab)
    assert MENDED in machine.console_text(lab.layout, VICTIM)
    assert reach.said(lab, VICTIM, "ls /victim 2>&1; touch /sound && echo sound", check=False).split()[-1] == "sound"
    patiently(lambda: agents_answer(lab))
