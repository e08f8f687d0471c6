"""A plan being carried out: a status per step, and the one function that says what may be submitted next.

A saga knows steps, requirements and ways back; what a step does is opaque to it (its `Eyes` are asked). It is a value:
`ended` and `advance` give a new one. After a failure nothing new starts; when all that runs has ended, what is done is
undone where a way back exists. A way back that must wait (a pause, stale data) is OWED, and the saga is not finished before
it was taken. An undo that fails, and a step whose outcome never comes, is STUCK: a person is called, and nothing of this
saga touches what it was about.
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
    OWED = "owed"
    UNDOING = "undoing"
    UNDONE = "undone"
    STUCK = "stuck"


OPEN = (Status.WAITING, Status.RUNNING, Status.OWED, Status.UNDOING)
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
    """A granted proposal inside the plan, to tell afterwards what came of it. `infeasible`: the plan left it out."""

    action: Action
    key: str
    effect: Effect
    infeasible: bool = False


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
    """How a saga looks at the world without knowing what a step is. `hold`: why nothing about it may begin now, though it
    may later; `recheck`: why it does not fit beside what is arriving by its own plan; `reached`: is its goal there already; `slot`:
    is there room beside that. A step may be held or refused for `patience_s`, then its plan is abandoned."""

    hold: Callable[[StepAction], str]
    recheck: Callable[[StepAction, tuple[StepAction, ...]], str]
    reached: Callable[[StepAction], bool]
    slot: Callable[[StepAction, tuple[StepAction, ...]], bool]
    patience_s: float


@dataclass(frozen=True, slots=True)
class Moves:
    """What to do after an advance: steps to submit, steps to undo, and (subject, reason) to alert about."""

    execute: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()


def find(saga: Saga, step: str) -> int | None:
    """The row of the run that the outcome of `step` (or of its undo) is about; None: it is not of this saga."""
    name = step.removesuffix(UNDO)
    number = name.rpartition(".s")[2]  # where the planner's numbering has it; thousands of outcomes come in one tick
    if number.isdecimal() and 0 < int(number) <= len(saga.runs) and saga.runs[int(number) - 1].step.id == name:
        return int(number) - 1
    return next((row for row, run in enumerate(saga.runs) if run.step.id == name), None)


def ended(saga: Saga, event: StepEnded) -> Saga:
    """With the outcome of one step, or of one undo. Outcomes of steps that are not open change nothing (at-least-once)."""
    row = find(saga, event.step)
    if row is None:
        return saga
    after = _ended(saga.runs[row], event)
    return saga if after is saga.runs[row] else replace(saga, runs=(*saga.runs[:row], after, *saga.runs[row + 1 :]))


def _ended(run: Run, event: StepEnded) -> Run:
    if run.status is Status.RUNNING and event.step == run.step.id:
        return replace(run, status=AFTER_RUNNING[event.outcome], reason=event.reason)
    if run.status is Status.UNDOING and event.step == run.step.id + UNDO:
        return replace(run, status=AFTER_UNDOING[event.outcome], reason=event.reason)
    return run


def advance(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, Moves]:
    """Start what may start, give up what is lost, and once abandoned and quiet, undo. Call it on every observation."""
    saga, alerts = _watch_deadlines(saga, now, eyes)
    saga = _abandon_on_failure(saga)
    execute: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    if not saga.abandoned:
        saga, execute = _start(saga, now, eyes)
    if saga.abandoned:
        saga = replace(saga, runs=tuple(_skip(run) for run in saga.runs))
        if not any(run.status is Status.RUNNING for run in saga.runs):
            saga, undo = _undo(saga, now, eyes)
    return saga, Moves(execute, undo, alerts)


def _watch_deadlines(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, tuple[tuple[str, str], ...]]:
    runs, alerts = [], []
    for run in saga.runs:
        if run.status not in (Status.RUNNING, Status.UNDOING) or run.since is None:
            runs.append(run)
            continue
        late_s = now - run.since - run.step.deadline_s
        watched = _late(run, late_s, eyes) if late_s > 0 else run
        if watched.overdue and not run.overdue:
            alerts.append((run.step.action.subjects[0], watched.reason))
        runs.append(watched)
    return replace(saga, runs=tuple(runs)), tuple(alerts)


def _late(run: Run, late_s: float, eyes: Eyes) -> Run:
    """A step past its deadline: what is observed counts; without that it is waited for, and then it is stuck."""
    what, goal = f"{run.step.action.kind} {run.step.id}", run.step.action
    if run.status is Status.UNDOING and run.step.undo is not None:
        what, goal = f"undo of {what}", run.step.undo
    if eyes.reached(goal):
        status = Status.DONE if run.status is Status.RUNNING else Status.UNDONE
        return replace(run, status=status, reason="observed as done; its outcome never came")
    if late_s > (LOST_AFTER_DEADLINES - 1) * run.step.deadline_s:
        reason = f"{what} gave no outcome for {late_s + run.step.deadline_s:.0f} s"
        return replace(run, status=Status.STUCK, reason=reason)
    reason = f"{what} is {late_s:.0f} s over its deadline of {run.step.deadline_s:.0f} s"
    return run if run.overdue else replace(run, overdue=True, reason=reason)


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
    busy = tuple(run.step.action for run in runs if run.status is Status.RUNNING and run.step.action.arrival)
    started: list[Step] = []
    for row, run in enumerate(runs):
        if run.status is not Status.WAITING or not done.issuperset(run.step.requires):
            continue
        runs[row] = tried = _try(run, now, busy, eyes)
        if tried.status is Status.DONE:
            done.add(run.step.id)
        elif tried.status is Status.RUNNING:
            busy += (run.step.action,) if run.step.action.arrival else ()
            started.append(run.step)
        elif tried.blocked_since is not None and now - tried.blocked_since >= eyes.patience_s:
            saga = replace(saga, abandoned=f"{run.step.id} no longer fits: {tried.reason}")
            break
    return replace(saga, runs=tuple(runs)), tuple(started)


def _try(run: Run, now: float, busy: tuple[StepAction, ...], eyes: Eyes) -> Run:
    """A step whose turn it is: done already, waiting for a slot, blocked, or begun."""
    action = run.step.action
    if eyes.reached(action):
        return replace(run, status=Status.DONE, blocked_since=None, reason="observed as done already")
    if not eyes.slot(action, busy):
        return run
    refusal = eyes.hold(action) or eyes.recheck(action, busy)
    if refusal:
        return replace(run, blocked_since=now if run.blocked_since is None else run.blocked_since, reason=refusal)
    return replace(run, status=Status.RUNNING, since=now, blocked_since=None, reason="")


def _skip(run: Run) -> Run:
    return replace(run, status=Status.SKIPPED) if run.status is Status.WAITING else run


def _undo(saga: Saga, now: float, eyes: Eyes) -> tuple[Saga, tuple[Step, ...]]:
    """The ways back of what is done, last step first."""
    runs, undo = list(saga.runs), []
    alone = {id_ for run in runs if run.status is Status.STUCK for id_ in touched(run.step.action)}
    for row in reversed(range(len(runs))):
        if runs[row].status in (Status.DONE, Status.OWED) and runs[row].since is not None:
            runs[row] = _way_back(runs[row], now, alone, eyes)
            if runs[row].status is Status.UNDOING:
                undo.append(runs[row].step)
    return replace(saga, runs=tuple(runs)), tuple(undo)


def _way_back(run: Run, now: float, alone: set[str], eyes: Eyes) -> Run:
    """Begin it, owe it, or leave the step done: where there is none, where a stuck step is about the same, and where it no
    longer fits (the created cloud VM is in use)."""
    way_back = run.step.undo
    if way_back is None:
        return run
    if eyes.reached(way_back):
        return replace(run, status=Status.UNDONE, reason="observed as undone already")
    if not alone.isdisjoint(way_back.subjects):
        return replace(run, status=Status.DONE, reason="not undone: left to a person with the stuck step")
    refusal = eyes.recheck(way_back, ())
    if refusal:
        return replace(run, status=Status.DONE, reason=f"not undone: {refusal}")
    wait = eyes.hold(way_back)
    if wait:
        return replace(run, status=Status.OWED, reason=wait)
    return replace(run, status=Status.UNDOING, since=now, overdue=False)


def touched(action: StepAction) -> tuple[str, ...]:
    """What nobody may touch while it is not known how `action` ended: its subjects, and where its app VM may arrive."""
    return (*action.subjects, action.arrival[1]) if action.arrival is not None else action.subjects


def newly_stuck(before: Saga, after: Saga) -> tuple[Run, ...]:
    """Runs of `after` that were not stuck in `before`."""
    pairs = zip(before.runs, after.runs, strict=True)
    return tuple(new for old, new in pairs if new.status is Status.STUCK and old.status is not Status.STUCK)


def came_of(goal: Goal, saga: Saga) -> str:
    """What came of one granted proposal: the worst status among the steps about what it starts, stops, moves and releases."""
    effect = goal.effect
    own = {*effect.stops, *effect.releases, *(move.app_vm for move in effect.moves)}
    own |= {arrival.app_vm.id for arrival in effect.starts} | {cloud_vm.id for cloud_vm in effect.creates}
    found = {run.status for run in saga.runs if not own.isdisjoint(run.step.action.subjects)}
    if goal.infeasible or not found:
        return "infeasible" if goal.infeasible else "done"  # no step: what others wish for brings it about as well
    if found <= {Status.DONE}:
        return "done"
    if Status.STUCK in found:
        return "stuck"
    return "withheld" if Status.WITHHELD in found else "failed"
