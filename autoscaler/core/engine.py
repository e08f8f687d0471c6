"""The engine: one event in, the commands it causes out. The same code live, in shadow, in replay, in tests and in `verify`.

Pure: time arrives inside events, ids come from them, and what it needs of other rooms (building a strategy, compiling a
condition, forecasting) is handed in as functions. It has one handler per kind of event and no branch per kind of action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from autoscaler.core import saga as sagas
from autoscaler.core.audit import AuditRecord
from autoscaler.core.decide import Judged, decide, wanted_since
from autoscaler.core.decision import Decision
from autoscaler.core.effect import Effect
from autoscaler.core.events import (
    Alert,
    Command,
    Event,
    Execute,
    Observed,
    OperatorSaid,
    PolicyChanged,
    Record,
    StepEnded,
    Undo,
    Word,
)
from autoscaler.core.flight import filling, in_flight, reserved_bytes, running, slot
from autoscaler.core.guards.case import Holds, Standing
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.proposals import Proposal
from autoscaler.core.recheck import reached, recheck
from autoscaler.core.saga import Eyes, Goal, Run, Saga
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Plan, StepAction

ENGINE_VERSION = "1"  # changes when the same events may lead to other commands
DUE_TOLERANCE_S = 1e-6  # ticks and cadences are sums of floats
SHORTEST_MEMORY_S = 86400.0  # grants are remembered at least this long


class Proposer(Protocol):
    """What the engine needs of a strategy."""

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]: ...


Forecaster = Callable[[Snapshot], Mapping[str, float]]


def no_forecast(snapshot: Snapshot) -> Mapping[str, float]:
    """For engines without a forecaster: nothing is foretold."""
    del snapshot
    return {}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the engine needs of other rooms: name and parameters to a strategy, CEL text to a predicate, a forecast."""

    build_strategy: Callable[[StrategySpec], Proposer]
    compile_condition: Callable[[str], Holds]
    forecast: Forecaster = no_forecast


class Engine:
    """Folds events into state and answers with commands. `state` may be read by anyone and is changed by nobody else."""

    def __init__(self, toolbox: Toolbox, state: EngineState | None = None) -> None:
        self._toolbox = toolbox
        self._strategy: Proposer | None = None
        self._conditions: tuple[Holds, ...] = ()
        self.restore(state or EngineState())

    def restore(self, state: EngineState) -> None:
        """Go on from `state` (a checkpoint's) instead of from nothing."""
        self.state = state
        if state.policy is not None:
            self._adopt(state.policy)

    def handle(self, event: Event) -> list[Command]:
        """The commands that `event` causes, in the order in which they are to be journalled and carried out."""
        commands = HANDLERS[type(event)](self, event)
        return [replace(command, id=f"{event.id}.{ordinal}") for ordinal, command in enumerate(commands)]

    def snapshot(self) -> Snapshot:
        """What is believed now, plans in flight included."""
        state = self.state
        busy = in_flight(state.sagas, state.history.inventory)
        return state.history.snapshot(state.history.at or 0.0, busy, self._reserved())

    def wish(self) -> Judged:
        """What would be decided on the newest observation; nothing is remembered and nothing changes."""
        return self._decide("preview", self.snapshot())

    def _adopt(self, policy: Policy) -> None:
        self._strategy = self._toolbox.build_strategy(policy.strategy)
        self._conditions = tuple(self._toolbox.compile_condition(rule.when) for rule in policy.conditions)

    def _policy_changed(self, event: PolicyChanged) -> list[Command]:
        self._adopt(event.policy)
        self.state.policy = event.policy
        self.state.history = self.state.history.resized(event.policy.window_samples)
        return []

    def _operator_said(self, event: OperatorSaid) -> list[Command]:
        state = self.state
        if event.word is Word.PAUSE:
            state.paused = {**state.paused, event.subject: event.why}
        else:
            state.paused = {id_: why for id_, why in state.paused.items() if id_ != event.subject}
            state.stuck = {id_: why for id_, why in state.stuck.items() if id_ != event.subject}
        return []

    def _step_ended(self, event: StepEnded) -> list[Command]:
        state = self.state
        for saga in state.sagas:
            for run in saga.runs:
                if event.step == run.step.id and run.status is sagas.Status.RUNNING:
                    state.totals.step(run.step.action.kind, event)
                    self._remember_pause(run, event)
        state.sagas = tuple(sagas.ended(saga, event) for saga in state.sagas)
        return []

    def _remember_pause(self, run: Run, event: StepEnded) -> None:
        if event.downtime_s > 0:
            subject = run.step.action.subjects[0]
            self.state.ledger = self.state.ledger.paused(subject, event.at, event.downtime_s)

    def _observed(self, event: Observed) -> list[Command]:
        state = self.state
        before = state.history
        if before.at is not None:
            hours = max(0.0, event.at - before.at) / 3600.0
            state.totals.cost += before.inventory.price_per_hour * hours
        state.history = before.extend(event)
        commands = self._advance(event)
        if self._due(event.at):
            commands += self._turn(event)
        return commands

    def _due(self, now: float) -> bool:
        policy, last = self.state.policy, self.state.decided_at
        return policy is not None and (last is None or now - last >= policy.every_s - DUE_TOLERANCE_S)

    def _turn(self, event: Observed) -> list[Command]:
        """Decide, plan, record, and begin what was planned."""
        state = self.state
        state.decided_at = event.at
        snapshot = self.snapshot()
        judged = self._decide(event.id.removeprefix("e"), snapshot)
        state.totals.decided(judged.decision)
        if judged.wanted_since is not None:
            state.ledger = state.ledger.wanting(judged.wanted_since)
        plan = self._plan(judged, snapshot)
        audit = AuditRecord(judged.decision, plan, figures(snapshot), self._versions())
        state.last = audit
        commands: list[Command] = [Record(audit, event.id)]
        if judged.decision.abstained.startswith(STRATEGY_FAILED):
            commands.append(self._alert(judged.decision.abstained, event.id, ""))
        if plan is None:
            return commands
        state.ledger = state.ledger.granted(judged.grants, self._memory_s())
        goals = tuple(
            Goal(proposal.action, proposal.key, effect)
            for proposal, effect in zip(judged.decision.granted, judged.effects, strict=True)
        )
        state.sagas = (*state.sagas, Saga(plan.id, tuple(Run(step) for step in plan.steps), goals))
        return commands + self._advance(event)

    def _decide(self, number: str, snapshot: Snapshot) -> Judged:
        state, policy = self.state, self.state.policy
        abstained = self._why_not(snapshot)
        if abstained or policy is None or self._strategy is None:
            name = policy.name if policy else ""
            return Judged(Decision(f"d{number}", snapshot.at, name, abstained=abstained or "no policy is loaded"))
        try:
            proposals = tuple(self._strategy.propose(snapshot))
        except Exception as error:  # noqa: BLE001  a third party's code must not stop the controller
            reason = f"{STRATEGY_FAILED} {policy.strategy.name}: {type(error).__name__}: {error}"
            return Judged(Decision(f"d{number}", snapshot.at, policy.name, abstained=reason))
        wanted = wanted_since(proposals, state.ledger.wanted_since, snapshot.at)
        standing = Standing(
            policy=policy,
            ledger=state.ledger.wanting(wanted),
            paused=state.paused,
            stuck=state.stuck,
            filling=filling(state.sagas),
            conditions=self._conditions,
            forecast=self._toolbox.forecast(snapshot) if policy.conditions else {},
        )
        judged = decide(number, snapshot, proposals, standing, self._reserved())
        return replace(judged, wanted_since=wanted)

    def _why_not(self, snapshot: Snapshot) -> str:
        """Why nothing is even proposed: an empty cluster, or not one fresh sample."""
        if self.state.policy is None or not len(snapshot.app_vms):
            return (
                ""
                if self.state.policy is None or len(snapshot.services)
                else "nothing to manage: no app VM, no service"
            )
        youngest, limit = float(snapshot.age_s.min()), self.state.policy.limits.fresh_s
        return (
            f"stale: the newest sample of all is {youngest:.0f} s old (limit {limit:.0f} s)" if youngest > limit else ""
        )

    def _plan(self, judged: Judged, snapshot: Snapshot) -> Plan | None:
        if not judged.effects or self.state.policy is None:
            return None
        decision = judged.decision.id
        return make_plan(
            f"p{decision[1:]}", decision, snapshot, judged.effects, self._reserved(), self.state.policy.limits
        )

    def _reserved(self) -> Mapping[str, float]:
        return reserved_bytes(self.state.sagas, self.state.history)

    def _advance(self, event: Observed) -> list[Command]:
        state = self.state
        if not state.sagas:
            return []
        snapshot = self.snapshot()
        limits = state.policy.limits if state.policy else Limits()
        commands: list[Command] = []
        going: list[Saga] = []
        for row, saga in enumerate(state.sagas):
            others = running((*going, *state.sagas[row + 1 :]))
            eyes = Eyes(
                recheck=lambda action: self._held(action) or recheck(action, snapshot),
                reached=lambda action: reached(action, snapshot),
                slot=lambda action, own, others=others: slot(action, own + others, limits),  # type: ignore[misc]
                patience_s=limits.fresh_s,
            )
            moved, moves = sagas.advance(saga, event.at, eyes)
            commands += [Execute(step, event.id) for step in moves.execute]
            commands += [Undo(step, step.id + sagas.UNDO, step.undo, event.id) for step in moves.undo if step.undo]
            commands += [self._alert(reason, event.id, subject) for subject, reason in moves.alerts]
            if moved.finished:
                commands += self._close(moved, event)
            else:
                going.append(moved)
        state.sagas = tuple(going)
        return commands

    def _held(self, action: StepAction) -> str:
        """A pause holds steps that have not begun, too."""
        for subject in ("", *action.subjects):
            if subject in self.state.paused:
                return f"{subject or 'the cluster'} is paused"
        return ""

    def _close(self, saga: Saga, event: Observed) -> list[Command]:
        """Count what came of each goal; name what is stuck."""
        for goal in saga.goals:
            self.state.totals.actions[f"{goal.action} {came_of(goal.effect, saga)}"] += 1
        commands: list[Command] = []
        for run in saga.runs:
            if run.status is sagas.Status.STUCK:
                subject = run.step.action.subjects[0]
                self.state.stuck = {**self.state.stuck, subject: run.reason}
                commands.append(self._alert(f"{subject} is stuck: {run.reason}", event.id, subject))
        return commands

    def _alert(self, reason: str, cause: str, subject: str) -> Alert:
        self.state.totals.alerts += 1
        return Alert(reason, cause, subject)

    def _memory_s(self) -> float:
        policy = self.state.policy
        if policy is None:
            return SHORTEST_MEMORY_S
        spans = [budget.per_s or 0.0 for budget in policy.limits.budgets]
        return max((SHORTEST_MEMORY_S, *spans, *policy.limits.cooldown_s.values()))

    def _versions(self) -> Mapping[str, str]:
        return {"engine": ENGINE_VERSION, "policy": self.state.policy.digest if self.state.policy else ""}


STRATEGY_FAILED = "strategy failed:"


def came_of(effect: Effect, saga: Saga) -> str:
    """What came of one granted proposal: the worst status among the steps about what it starts, stops, moves and releases."""
    own = {*effect.stops, *effect.releases, *(move.app_vm for move in effect.moves)}
    own |= {arrival.app_vm.id for arrival in effect.starts} | {cloud_vm.id for cloud_vm in effect.creates}
    found = {run.status for run in saga.runs if not own.isdisjoint(run.step.action.subjects)}
    if not found:
        return "infeasible"
    if found <= {sagas.Status.DONE}:
        return "done"
    if sagas.Status.STUCK in found:
        return "stuck"
    return "withheld" if sagas.Status.WITHHELD in found else "failed"


def figures(snapshot: Snapshot) -> dict[str, float]:
    """The figures a decision was made on, for its record."""
    cores, memory = float(snapshot.inventory.cloud_cores.sum()), float(snapshot.inventory.cloud_memory_bytes.sum())
    placed = snapshot.placement >= 0
    return {
        "app_vms": float(placed.sum()),
        "cloud_vms": float(len(snapshot.cloud_vms)),
        "cpu_load_fraction": float(snapshot.cpu_in_use_cores[placed].sum()) / cores if cores else 0.0,
        "memory_load_fraction": float(snapshot.memory_in_use_bytes[placed].sum()) / memory if memory else 0.0,
        "price_per_hour": snapshot.inventory.price_per_hour,
        "oldest_sample_s": float(np.max(snapshot.age_s)) if len(snapshot.app_vms) else 0.0,
    }


HANDLERS: Mapping[type, Callable[..., list[Command]]] = {
    Observed: Engine._observed,  # noqa: SLF001  the table of this module's own class
    StepEnded: Engine._step_ended,  # noqa: SLF001
    PolicyChanged: Engine._policy_changed,  # noqa: SLF001
    OperatorSaid: Engine._operator_said,  # noqa: SLF001
}
