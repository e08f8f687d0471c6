"""What the controller decided and did, read from its journal: the only witness that also lives when the controller does not.

Separate from report.py because the terminal view reads the same story while it happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoscaler.adapters.decisions import JournalReader
from autoscaler.core.audit import AuditRecord
from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.steps import CreateCloudVM, Migrate, ReleaseCloudVM, Step
from autoscaler.errors import JournalError

PAGE = 10_000
UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class Tick:
    """What a decision was made on."""

    at: float
    price_per_hour: float
    cloud_vms: int
    app_vms: int
    cpu_load_fraction: float


@dataclass(frozen=True, slots=True)
class Done:
    """One granted action. `outcome`: done, under way, or why its plan was not carried out."""

    at: float
    decision: str
    action: str
    about: str
    reason: str
    outcome: str
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Moved:
    """One migration."""

    at: float
    app_vm: str
    target: str
    total_s: float
    downtime_s: float
    sent_bytes: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Story:
    ticks: tuple[Tick, ...] = ()
    done: tuple[Done, ...] = ()
    moved: tuple[Moved, ...] = ()
    created: int = 0
    released: int = 0
    refusals: int = 0

    @property
    def actions(self) -> dict[str, int]:
        """How many of each action were carried out whole."""
        names = [each.action for each in self.done if each.outcome == Outcome.DONE]
        return {name: names.count(name) for name in sorted(set(names))}

    def at_rest(self, services: int) -> bool:
        """Nothing is left to save: one cloud VM, one replica of each of `services`, and the newest plan is at its end."""
        if not self.ticks or (self.done and self.done[-1].outcome == UNDER_WAY):
            return False
        return self.ticks[-1].cloud_vms <= 1 and self.ticks[-1].app_vms <= services


def read(directory: Path) -> Story:
    """The story so far; an empty one before there is a journal."""
    path = directory / "journal.sqlite"
    try:
        reader = JournalReader(path)
        audits = reader.decisions(PAGE)[::-1] if path.exists() else ()
        ends = {audit.decision.id: reader.outcomes(audit.decision.id) for audit in audits if audit.plan}
    except JournalError:  # it is being made
        return Story()
    steps = [(step, end) for audit in audits for step, end in _steps(audit, ends.get(audit.decision.id, ()))]
    finished = [step.action for step, end in steps if end.outcome is Outcome.DONE]
    return Story(
        ticks=tuple(_tick(audit) for audit in audits),
        done=tuple(each for audit in audits for each in _done(audit, ends.get(audit.decision.id, ()))),
        moved=tuple(_moved(step.action, end) for step, end in steps if isinstance(step.action, Migrate)),
        created=sum(isinstance(action, CreateCloudVM) for action in finished),
        released=sum(isinstance(action, ReleaseCloudVM) for action in finished),
        refusals=sum(len(audit.decision.denied) for audit in audits),
    )


def _tick(audit: AuditRecord) -> Tick:
    seen = audit.inputs
    counts = int(seen["cloud_vms"]), int(seen["app_vms"])
    return Tick(audit.decision.at, seen["price_per_hour"], *counts, seen["cpu_load_fraction"])


def _steps(audit: AuditRecord, ends: tuple[StepEnded, ...]) -> Iterator[tuple[Step, StepEnded]]:
    by_id = {step.id: step for step in audit.plan.steps} if audit.plan else {}
    for end in ends:
        if end.step in by_id:
            yield by_id[end.step], end


def _done(audit: AuditRecord, ends: tuple[StepEnded, ...]) -> Iterator[Done]:
    outcome, ended_at = _outcome(audit, ends)
    for proposal in audit.decision.granted:
        yield Done(
            audit.decision.at, audit.decision.id, str(proposal.action), proposal.key, proposal.reason, outcome, ended_at
        )


def _outcome(audit: AuditRecord, ends: tuple[StepEnded, ...]) -> tuple[str, float | None]:
    if audit.plan is None or not audit.plan.steps:
        why = "; ".join(audit.plan.infeasible) if audit.plan else "no plan"
        return why or "nothing to do", None
    failed = [end for end in ends if end.outcome is not Outcome.DONE]
    if failed:
        return f"{failed[0].step} {failed[0].outcome}: {failed[0].reason}", failed[-1].at
    done = {end.step for end in ends} >= {step.id for step in audit.plan.steps}
    return (str(Outcome.DONE), max(end.at for end in ends)) if done else (UNDER_WAY, None)


def _moved(action: Migrate, end: StepEnded) -> Moved:
    outcome = str(end.outcome) if end.outcome is Outcome.DONE else f"{end.outcome}: {end.reason}"
    return Moved(end.at, action.app_vm, action.target, end.total_s, end.downtime_s, end.sent_bytes, outcome)
