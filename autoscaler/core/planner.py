"""From what was granted to ordered, capacity-feasible steps, or the reason why some of it cannot be reached.

Separate from `ordering` (which app VM moves when) because this is where effects are read and steps are written. Nothing is
judged here that guards judge (headroom, budgets, worth), and nothing is looked up outside the snapshot.

What cannot be done is dropped by this rule: all effects are planned together. Where that fails, the latest effect concerned
by each failure is dropped, and the rest is planned together again, until it works. Then each dropped effect, earliest
first (RETRIES of them at most), is tried once more on top of what is kept; the last reason heard is the one that is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.correction import Expectation
from autoscaler.core.draft import Ground, Leg
from autoscaler.core.effect import Effect
from autoscaler.core.expand import clash
from autoscaler.core.migration import predict
from autoscaler.core.model import AppVM, CloudVM, CloudVMState
from autoscaler.core.ordering import Stuck, order
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import DIRTY, NOWHERE, Snapshot
from autoscaler.core.steps import (
    Cordon,
    CreateCloudVM,
    Migrate,
    Plan,
    ReleaseCloudVM,
    StartAppVM,
    Step,
    StepAction,
    StopAppVM,
)
from autoscaler.core.wish import Board, Wish, mib, wish

RETRIES = 16  # dropped effects tried once more: bounds planning at some multiple of one plan
DEADLINE_FACTOR = (
    10.0  # x predicted total time: parallel migrations share the link, and a busy app VM dirties more than it did
)
LEAST_MIGRATION_S = 120.0  # no migration is overdue before this: connection, retries of the toolstack
CREATE_S = 900.0  # clouds need minutes to boot a cloud VM; 15 of them are a failure
OTHER_S = 120.0  # starting, stopping, cordoning, releasing take seconds


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """Some effects planned together: `problems` (effect number -> reason) is empty where it worked."""

    wish: Wish
    legs: tuple[Leg, ...]
    problems: Mapping[int, str]


def make_plan(
    plan_id: str,
    decision_id: str,
    snapshot: Snapshot,
    effects: Sequence[Effect],
    reserved_bytes: Mapping[str, float],
    limits: Limits,
    no_parking: Collection[str] = (),
) -> Plan:
    """Steps for `effects`, taken together. `reserved_bytes`: cloud VM id -> memory kept for arrivals of other plans in flight.
    `no_parking`: cloud VMs on which nobody may be parked meanwhile.

    Step ids are `plan_id.s1`, `plan_id.s2`, ... in plan order, in which every step stands behind what it requires.
    """
    board = Board(snapshot, effects, reserved_bytes, limits.isolate)
    attempt, reasons = _best_attempt(board, effects, no_parking)
    steps = _steps(plan_id, board, attempt, Expectations(snapshot, limits))
    dropped = tuple(sorted(reasons))
    return Plan(plan_id, decision_id, steps, tuple(reasons[number] for number in dropped), dropped=dropped)


def _best_attempt(
    board: Board, effects: Sequence[Effect], no_parking: Collection[str] = ()
) -> tuple[Attempt, dict[int, str]]:
    """The rule above: what is planned, and the reason for each effect that is not."""
    kept = dict(enumerate(effects))
    reasons: dict[int, str] = {}
    attempt = _attempt(board, kept, no_parking)
    while attempt.problems:
        reasons |= attempt.problems
        kept = {number: effect for number, effect in kept.items() if number not in attempt.problems}
        attempt = _attempt(board, kept, no_parking)
    if len(reasons) > 1:  # the only one dropped was tried with exactly these
        for number in sorted(reasons)[:RETRIES]:
            more = dict(sorted({**kept, number: effects[number]}.items()))
            again = _attempt(board, more, no_parking)
            if again.problems:
                reasons[number] = again.problems.get(number, reasons[number])
            else:
                kept, attempt = more, again
                del reasons[number]
    return attempt, reasons


def _attempt(board: Board, effects: Mapping[int, Effect], no_parking: Collection[str]) -> Attempt:
    wished, problems = wish(board, effects)
    if problems:
        return Attempt(wished, (), problems)
    legs, stuck = order(_ground(board, wished, no_parking), wished.transfers(board))
    for failure in stuck:
        culprit = max(wished.owner[transfer.app] for transfer in failure.waiting)
        problems[culprit] = _explain(board, failure)
    return Attempt(wished, legs, problems)


def _ground(board: Board, wished: Wish, no_parking: Collection[str]) -> Ground:
    leaving = set(wished.releases)
    usable = [row for row, c in enumerate(board.cloud_vms) if c.state is CloudVMState.ACTIVE and row not in leaving]
    there = len(board.snapshot.cloud_vms)

    def residents(row: int) -> Iterable[int]:
        return [int(app) for app in board.snapshot.by_cloud_vm[row]] if row < there else ()

    return Ground(
        free_bytes=board.free_bytes,
        parking=[
            row
            for row in usable
            if (row < there or row in wished.creates) and board.cloud_vms[row].id not in no_parking
        ],
        may_park=lambda app, row: board.app_vms[app].pinned_to in ("", board.cloud_vms[row].id),
        apart=lambda app, other: clash(board.app_vms[app], [board.app_vms[other]], board.isolate) is not None,
        residents=residents,
        wary=board.wary,
    )


def _explain(board: Board, stuck: Stuck) -> str:
    """The reason with its numbers: who waits for what, how much room there is, and what would help."""
    first = stuck.waiting[0]
    app_vm, target = board.app_vms[first.app], board.cloud_vms[first.target].id
    if stuck.blocker is not None:
        lack = f"{app_vm.id} must stay apart from {board.app_vms[stuck.blocker].id}, which"
        if stuck.blocker not in {transfer.app for transfer in stuck.waiting}:
            return f"{lack} stays on {target}; another cloud VM for one of them would help"
        lack = f"{lack} cannot leave {target} before it"
    else:
        room = mib(stuck.room_bytes)
        lack = f"{app_vm.id} needs {mib(app_vm.memory_bytes)} on {target}, where {room} can be free before it moves"
    if stuck.smallest is None:
        return f"{lack}; {mib(first.memory_bytes - stuck.room_bytes)} more on {target} would help"
    smallest, needed = board.app_vms[stuck.smallest.app].id, mib(stuck.smallest.memory_bytes)
    most = "and no other cloud VM may take it"
    if stuck.roomiest != NOWHERE:
        most = f"the most elsewhere is {mib(stuck.roomiest_bytes)} on {board.cloud_vms[stuck.roomiest].id}"
    return (
        f"{len(stuck.waiting)} app VMs wait for each other and none can be parked meanwhile: {lack}; "
        f"parking {smallest} takes {needed}, {most}; a cloud VM with {needed} free that {smallest} may run on would help"
    )


class Expectations:
    """What a migration is expected to take, from what each app VM was seen to use and what earlier migrations measured."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        dirty = snapshot.usage.get(DIRTY)
        never = np.zeros(len(snapshot.app_vms))
        self._dirty = never if dirty is None else np.nan_to_num(snapshot.recent(DIRTY, dirty.shape[1]))
        self._memory = snapshot.memory_in_use_bytes
        self._bandwidth, self._correction = limits.migration_bandwidth_bytes_per_s, snapshot.correction

    def of(self, app: int) -> Expectation:
        by_model = predict(float(self._memory[app]), float(self._dirty[app]), self._bandwidth)
        return Expectation(by_model, self._correction.of(by_model))


class Script:
    """The steps as they are written, each with the next id."""

    def __init__(self, plan_id: str) -> None:
        self.steps: list[Step] = []
        self._plan = plan_id

    def add(
        self,
        action: StepAction,
        requires: Iterable[str] = (),
        deadline_s: float = OTHER_S,
        undo: StepAction | None = None,
        expects: Expectation | None = None,
    ) -> str:
        """Write one more step; its id, for those that require it."""
        step = f"{self._plan}.s{len(self.steps) + 1}"
        self.steps.append(Step(step, action, tuple(dict.fromkeys(requires)), deadline_s, undo, expects))
        return step


def _steps(plan_id: str, board: Board, attempt: Attempt, expectations: Expectations) -> tuple[Step, ...]:
    """Cordons, creations, transfers in their order, releases."""
    wished, script = attempt.wish, Script(plan_id)
    ready: dict[int, list[str]] = {}  # cloud VM row -> what must be done before it receives anybody
    emptied: dict[int, list[str]] = {}  # cloud VM row -> what must be done before it is released
    for row in wished.releases:
        cloud_vm = board.cloud_vms[row]
        was_open = cloud_vm.state is CloudVMState.ACTIVE  # one that an operator has cordoned stays so
        emptied[row] = [script.add(Cordon(cloud_vm.id), undo=Cordon(cloud_vm.id, on=False) if was_open else None)]
    for row in wished.creates:
        cloud_vm = board.cloud_vms[row]
        ready[row] = [script.add(CreateCloudVM(cloud_vm.id, cloud_vm.size), (), CREATE_S, ReleaseCloudVM(cloud_vm.id))]
    ids: list[str] = []
    for leg in attempt.legs:
        requires = (*ready.get(leg.transfer.target, ()), *(ids[position] for position in leg.requires))
        ids.append(_write(script, board, leg, expectations, requires))
        emptied.setdefault(leg.transfer.source, []).append(ids[-1])
    for row in wished.releases:
        script.add(ReleaseCloudVM(board.cloud_vms[row].id), emptied[row])
    return tuple(script.steps)


def _write(script: Script, board: Board, leg: Leg, expectations: Expectations, requires: tuple[str, ...]) -> str:
    """Write a leg as a step; its id."""
    app_vm: AppVM = board.app_vms[leg.transfer.app]
    if leg.transfer.target == NOWHERE:
        return script.add(StopAppVM(app_vm.id), requires)
    target: CloudVM = board.cloud_vms[leg.transfer.target]
    if leg.transfer.source == NOWHERE:
        return script.add(StartAppVM(app_vm, target.id), requires)
    source, expects = board.cloud_vms[leg.transfer.source], expectations.of(leg.transfer.app)
    deadline_s = max(LEAST_MIGRATION_S, DEADLINE_FACTOR * expects.corrected.total_s)
    return script.add(Migrate(app_vm.id, source.id, target.id), requires, deadline_s, expects=expects)
