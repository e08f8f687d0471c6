"""All that can happen to the engine, and all it can ask for. Frozen values: the journal holds nothing else.

Every event has `id` (stamped by the loop) and `at`; every command carries the id of the event that caused it, and its own
id is that id with an ordinal. The order of effects is the loop's contract (see `runtime`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.core.audit import AuditRecord
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, Service
from autoscaler.core.policy import Policy
from autoscaler.core.snapshot import FloatArray, IntArray
from autoscaler.core.steps import Step, StepAction


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What the source saw. Identity fields are None where nothing changed since the last one (complete in the first).

    placement: (app VMs,) row in cloud_vms, -1 nowhere. sampled_at: (app VMs,) time of the newest sample.
    samples: metric -> (app VMs,), NaN where none came. doubts: id -> how what was seen of it contradicts itself: a person is
    called, and nothing touches it while that is so.
    """

    at: float
    placement: IntArray
    sampled_at: FloatArray
    samples: Mapping[str, FloatArray]
    catalogue: tuple[CloudVMSize, ...] | None = None
    cloud_vms: tuple[CloudVM, ...] | None = None
    app_vms: tuple[AppVM, ...] | None = None
    services: tuple[Service, ...] | None = None
    doubts: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


class Outcome(StrEnum):
    """How a step ended. `withheld`: shadow mode, nothing was done, which is not success."""

    DONE = "done"
    FAILED = "failed"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class StepEnded:
    """An actuator's word on a step. Measurements are 0 where they do not apply; `phases`: what took how long, as it names them."""

    at: float
    step: str
    outcome: Outcome
    reason: str = ""
    total_s: float = 0.0
    downtime_s: float = 0.0
    sent_bytes: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    at: float
    policy: Policy
    id: str = ""


class Word(StrEnum):
    """What an operator may say."""

    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class OperatorSaid:
    """`subject`: an app VM, service or cloud VM id; empty = the whole cluster. RESUME also forgives a stuck subject."""

    at: float
    word: Word
    subject: str = ""
    who: str = ""
    why: str = ""
    id: str = ""


Event = Observed | StepEnded | PolicyChanged | OperatorSaid


@dataclass(frozen=True, slots=True)
class Execute:
    """Carry out `step`. Submitting the same step id twice is the same as once."""

    step: Step
    cause: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Carry out the way back of `step` under the id `undo_id`."""

    step: Step
    undo_id: str
    action: StepAction
    cause: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A decision with everything needed to explain and re-execute it."""

    audit: AuditRecord
    cause: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A person should know. `subject`: the id it is about."""

    reason: str
    cause: str
    subject: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    id: str = ""


Command = Execute | Undo | Record | Alert
