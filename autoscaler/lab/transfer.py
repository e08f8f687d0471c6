"""Live-migrate one app VM with Xen's own toolstack and time its phases by what it says.

Separate because this is the measured act; the controller migrates through libvirt, in adapters/.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from autoscaler.errors import ActuationError
from autoscaler.lab import network, reach
from autoscaler.lab.record import Record

SHOWN_LINES = 12
# What xl -vvv says, in the order it happens; the time between two marks is a phase.
MARKS = (
    ("begin", "begin"),
    ("stream", "Saving to migration stream"),
    ("suspend asked", "issuing PV suspend request"),
    ("suspended", "guest has suspended"),
    ("acknowledged", "Target has acknowledged transfer"),
    ("permitted", "Giving target permission to start"),
    ("started", "Target reports successful startup"),
    ("done", "Migration successful"),
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """`marks`: when the toolstack said what, in seconds since `began`; `wire_bytes`: sent on the back network meanwhile."""

    began: float
    total_s: float
    wire_bytes: int
    marks: dict[str, float]


def migrate(lab: Record, app_vm: str, source: str, target: str) -> Transfer:
    """Move `app_vm`. Raises ActuationError with the toolstack's words when it does not end in success."""
    argv = reach.ssh_argv(lab, source, [f"echo begin; exec transfer {app_vm} {reach.known(lab, target)} -vvv 2>&1"])
    before = network.sent_bytes(lab.layout, source, "back")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        marks: dict[str, float] = {}
        said: list[str] = []
        for raw in running.stdout:
            line = raw.decode(errors="replace").rstrip()
            said.append(line)
            for mark, words in MARKS:
                if words in line:
                    marks.setdefault(mark, time.monotonic())
    if "done" not in marks:
        raise ActuationError(f"{app_vm} did not move from {source} to {target}: {failure(said)}", temporary=True)
    began = marks["begin"]
    wire = network.sent_bytes(lab.layout, source, "back") - before
    return Transfer(began, marks["done"] - began, wire, {mark: at - began for mark, at in marks.items()})


def failure(said: list[str]) -> str:
    """What stopped a transfer, from the toolstack's lines; its last ones when none is known."""
    if any("Failed to enable logdirty" in line for line in said):
        return (
            "this hypervisor was built without shadow paging, which live migration of paravirtual app VMs needs; "
            "make the lab with `flexcapsule lab up --hypervisor rebuild`, or with the default version"
        )
    told = [line for line in said if "debug:" not in line]
    return "\n" + "\n".join(told[-SHOWN_LINES:])
