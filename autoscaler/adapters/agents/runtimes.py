"""What the controller needs of whoever runs app VMs on cloud VMs: agents over HTTP, or hypervisors through libvirt.

Separate because there are two: who is where, steps and images on their way are the same for both. Types only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from autoscaler.agent.descriptions import HostReport, StepReport, StepRequest


class Runtimes(Protocol):
    """`address`: where one cloud VM's runtime is, as its provider has it. Safe to use from several threads. Every call raises
    ActuationError, temporary where there is no answer, or another one may come later."""

    def host(self, address: str) -> HostReport:
        """What is there and what runs there, now."""
        ...

    def put_step(self, address: str, step: str, request: StepRequest) -> StepReport:
        """Begin a step, once however often it is put; answers at once."""
        ...

    def step(self, address: str, step: str) -> StepReport | None:
        """How far it is; None where it is not known there."""
        ...

    def steps(self, address: str) -> Mapping[str, StepReport]: ...

    def forget(self, address: str, step: str) -> None: ...

    def has_image(self, address: str, digest: str) -> bool: ...

    def push_image(self, address: str, digest: str, path: Path) -> None: ...

    def fence(self, address: str, peer: str, boot_id: str) -> None:
        """That boot of that peer will never run again."""
        ...

    def take_new_keys(self) -> None: ...

    def close(self) -> None: ...
