"""A plan being carried out: a status per step, and the one function that says what may be submitted next.

A saga knows steps, requirements and ways back; what a step does is opaque to it (`recheck` and `reached` are asked). It is
a value: `started`, `ended` and `advance` give a new one. After a failure nothing new starts; when all that runs has ended,
what is done is undone where a way back exists; an undo that fails leaves the saga STUCK, and a person is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.core.effect import Effect
from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.model import Action
from autoscaler.core.steps import Step, StepAction

UNDO = ".undo"  # suffix of the id under which a step's way back is submitted
LOST_AFTER_DEADLINES = 3.0  # a step this many deadlines old is given up: its outcome will not come


class Status(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WITHHELD = "withheld"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    UNDONE = "undone"
    STUCK = "stuck"


OPEN = (Status.WAITING, Status.RUNNING, Status.UNDOING)
AFTER_RUNNING = {Outcome.DONE: Status.DONE, Outcome.FAILED: Status.FAILED, Outcome.WITHHELD: Status.WITHHELD}
AFTER_UNDOING = {Outcome.DONE: Status.UNDONE, Outcome.FAILED: Status.STUCK, Outcome.WITHHELD: Status.WITHHELD}


@dataclass(frozen=True, slots=True)
class Run:
    """One step and how far it is. `since`: when it was submitted (None: never, so nothing of it is ours to undo);
    `blocked_since`: since when its re-check refuses it."""

    step: Step
    status: Status = Status.WAITING
    since: float | None = None
    blocked_since: float | None = None
    overdue: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """A granted proposal inside the plan, to tell afterwards what came of it."""

    action: Action
    key: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Saga:
    """`abandoned`: why nothing new starts any more; empty while all goes well."""

    plan: str
    runs: tuple[Run, ...]
    goals: tuple[Goal, ...] = ()
    abandoned: str = ""

    @property
    def finished(self) -> bool:
        return all(run.status not in OPEN for run in self.runs)

    @property
    def outcome(self) -> str:
        """`done`, `withheld`, `failed` or `stuck`; `running` while it is not finished."""
        if not self.finished:
            return "running"
        found = {run.status for run in self.runs}
        if Status.STUCK in found:
            return "stuck"
        if found <= {Status.DONE}:
            return "done"
        return "withheld" if Status.WITHHELD in found else "failed"


@dataclass(frozen=True, slots=True)
class Eyes:
    """How a saga looks at the world without knowing what a step is: may it run now, is its goal there already, is there a
    free slot beside `running`."""

    recheck: Callable[[StepAction], str]
    reached: Callable[[StepAction], bool]
    slot: Callable[[StepAction, tuple[StepAction, ...]], bool]
    patience_s: float


@dataclass(frozen=True, slots=True)
class Moves:
    """What to do after an advance: steps to submit, steps to undo, and (subject, reason) to alert about."""

    execute: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()


def ended(saga: Saga, event: StepEnded) -> Saga:
    """With the outcome of one step, or of one undo. Outcomes of steps that are not open change nothing (at-least-once)."""
    return replace(saga, runs=tuple(_ended(run, event) for run in saga.runs)) if _concerns(saga, event) else saga


def _concerns(saga: Saga, event: StepEnded) -> bool:
    return event.step.removesuffix(UNDO) in {run.step.id for run in saga.runs}


def _ended(run: Run, event: StepEnded) -> Run:
    if run.status is Status.RUNNING and event.step == run.step.id:
        return replace(run, status=AFTER_RUNNING[event.outcome], reason=event.reason)
    if run.status is Status.UNDOING and event.step == run.step.id + UNDO:
        return replace(run, status=AFTER_UNDOING[event.outcome], reason=event.reason)
    return run


def advance(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, Moves]:
    """Start what may start, give up what is lost, and once abandoned and quiet, undo. Call it on every observation."""
    saga, alerts = _watch_deadlines(saga, now)
    saga = _abandon_on_failure(saga)
    execute: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    if not saga.abandoned:
        saga, execute = _start(saga, now, eyes)
    if saga.abandoned:
        saga = replace(saga, runs=tuple(_skip(run) for run in saga.runs))
        if not execute and not any(run.status in (Status.RUNNING, Status.UNDOING) for run in saga.runs):
            saga, undo = _undo(saga, now, eyes)
    return saga, Moves(execute, undo, alerts)


def _watch_deadlines(saga: Saga, now: float) -> tuple[Saga, tuple[tuple[str, str], ...]]:
    runs, alerts = [], []
    for run in saga.runs:
        late_s = now - (now if run.since is None else run.since) - run.step.deadline_s
        if run.status in (Status.RUNNING, Status.UNDOING) and late_s > 0:
            subject = run.step.action.subjects[0]
            if late_s > (LOST_AFTER_DEADLINES - 1) * run.step.deadline_s:
                reason = (
                    f"{run.step.action.kind} {run.step.id} gave no outcome for {late_s + run.step.deadline_s:.0f} s"
                )
                run = replace(run, status=Status.STUCK, reason=reason)  # noqa: PLW2901
                alerts.append((subject, reason))
            elif not run.overdue:
                reason = f"{run.step.action.kind} {run.step.id} is {late_s:.0f} s over its deadline of {run.step.deadline_s:.0f} s"
                run = replace(run, overdue=True)  # noqa: PLW2901
                alerts.append((subject, reason))
        runs.append(run)
    return replace(saga, runs=tuple(runs)), tuple(alerts)


def _abandon_on_failure(saga: Saga) -> Saga:
    if saga.abandoned:
        return saga
    for run in saga.runs:
        if run.status in (Status.FAILED, Status.STUCK, Status.WITHHELD):
            return replace(saga, abandoned=f"{run.step.action.kind} {run.step.id}: {run.status}: {run.reason}")
    return saga


def _start(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, tuple[Step, ...]]:
    runs = list(saga.runs)
    done = {run.step.id for run in runs if run.status is Status.DONE}
    busy = [run.step.action for run in runs if run.status is Status.RUNNING]
    started: list[Step] = []
    for row, run in enumerate(runs):
        if run.status is not Status.WAITING or not done.issuperset(run.step.requires):
            continue
        if eyes.reached(run.step.action):
            runs[row] = replace(run, status=Status.DONE, reason="observed as done already")
            done.add(run.step.id)
            continue
        refusal = eyes.recheck(run.step.action)
        if refusal:
            runs[row] = replace(
                run, blocked_since=now if run.blocked_since is None else run.blocked_since, reason=refusal
            )
            if now - (runs[row].blocked_since or now) >= eyes.patience_s:
                return replace(saga, runs=tuple(runs), abandoned=f"{run.step.id} no longer fits: {refusal}"), tuple(
                    started
                )
        elif eyes.slot(run.step.action, tuple(busy)):
            runs[row] = replace(run, status=Status.RUNNING, since=now, blocked_since=None)
            busy.append(run.step.action)
            started.append(run.step)
    return replace(saga, runs=tuple(runs)), tuple(started)


def _skip(run: Run) -> Run:
    return replace(run, status=Status.SKIPPED) if run.status is Status.WAITING else run


def _undo(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, tuple[Step, ...]]:
    """The way back, last step first. A way back that no longer fits (the created cloud VM is in use) is not taken."""
    runs, undo = list(saga.runs), []
    for row in reversed(range(len(runs))):
        run = runs[row]
        if (
            run.status is Status.DONE
            and run.since is not None
            and run.step.undo is not None
            and not eyes.reached(run.step.undo)
        ):
            if eyes.recheck(run.step.undo):
                continue
            runs[row] = replace(run, status=Status.UNDOING, since=now, overdue=False)
            undo.append(run.step)
    return replace(saga, runs=tuple(runs)), tuple(undo)
