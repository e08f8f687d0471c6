"""The engine: one event in, the commands it causes out. The same code live, in shadow, in replay, in tests and in `verify`.

Pure: time arrives inside events, ids come from them, and what it needs of other rooms (building a strategy, compiling a
condition, forecasting) is handed in as functions. It has one handler per kind of event and no branch per kind of action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from autoscaler.core import saga as sagas
from autoscaler.core.audit import AuditRecord, figures
from autoscaler.core.decide import Judged, decide, wanted_since
from autoscaler.core.decision import Decision
from autoscaler.core.detours import plan_within_budgets
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
from autoscaler.core.flight import arriving, filling, in_flight, reserved_bytes
from autoscaler.core.guards.case import Holds, Standing
from autoscaler.core.holding import eyes
from autoscaler.core.ledger import Grant
from autoscaler.core.policy import Limits, Policy
from autoscaler.core.proposals import checked
from autoscaler.core.saga import Goal, Run, Saga, Status, came_of
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Plan
from autoscaler.core.toolbox import Proposer, Toolbox, no_forecast

ENGINE_VERSION = "4"  # changes when the same events may lead to other commands
DUE_TOLERANCE_S = 1e-6  # ticks and cadences are sums of floats
SHORTEST_MEMORY_S = 86400.0  # grants are remembered at least this long
ABSENT_S = 7 * 86400.0  # a pause of, or a stuck step on, something gone this long is forgotten: memory stays bounded
STRATEGY_FAILED = "strategy failed:"


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
        return state.history.snapshot(state.history.at or 0.0, busy, self._reserved(), state.correction)

    def wish(self) -> Judged:
        """What would be decided on the newest observation; nothing is remembered and nothing changes."""
        return self._decide("preview", self.snapshot())

    def _adopt(self, policy: Policy) -> None:
        """All of it or nothing: raises whatever its strategy or a condition raises."""
        strategy = self._toolbox.build_strategy(policy.strategy)
        self._conditions = tuple(self._toolbox.compile_condition(rule.when) for rule in policy.conditions)
        self._strategy = strategy

    def _policy_changed(self, event: PolicyChanged) -> list[Command]:
        try:
            self._adopt(event.policy)
        except Exception as error:  # noqa: BLE001  a policy that cannot be used must not stop the controller
            kept = f"{self.state.policy.name} stays" if self.state.policy else "there is none"
            reason = f"policy {event.policy.name} cannot be used, {kept}: {type(error).__name__}: {error}"
            return [self._alert(reason, event.id, "")]
        self.state.policy = event.policy
        self.state.history = self.state.history.resized(event.policy.window_samples)
        return []

    def _operator_said(self, event: OperatorSaid) -> list[Command]:
        state = self.state
        if event.word is Word.PAUSE:
            state.paused = {**state.paused, event.subject: event.why}
            state.seen_at = {**state.seen_at, event.subject: event.at}
        else:
            state.paused = {id_: why for id_, why in state.paused.items() if id_ != event.subject}
            state.stuck = {id_: why for id_, why in state.stuck.items() if id_ != event.subject}
        return []

    def _step_ended(self, event: StepEnded) -> list[Command]:
        state = self.state
        commands: list[Command] = []
        going: list[Saga] = []
        for saga in state.sagas:
            after = sagas.ended(saga, event)
            going.append(after)
            row = None if after is saga else sagas.find(saga, event.step)
            if row is None:
                continue
            run = saga.runs[row]
            if run.status is Status.RUNNING:
                state.totals.step(run.step.action.kind, event)
                state.remember_measured(run.step, event)
            if after.runs[row].status is Status.STUCK:
                commands += self._note_stuck(saga, after, event)
        state.sagas = tuple(going)
        return commands

    def _observed(self, event: Observed) -> list[Command]:
        state, before = self.state, self.state.history
        try:
            state.history = before.extend(event)
        except ValueError as error:
            return [self._alert(f"an observation was refused, the last one stays: {error}", event.id, "")]
        if before.at is not None:
            hours = max(0.0, event.at - before.at) / 3600.0
            state.totals.cost += before.inventory.price_per_hour * hours
        commands = self._forget_absent(event)
        commands += self._doubt(event)
        commands += self._advance(event)
        if self._due(event.at):
            commands += self._turn(event)
        return commands

    def _forget_absent(self, event: Observed) -> list[Command]:
        reason = f"is no longer remembered as paused or stuck: it has not been seen for {ABSENT_S / 86400.0:.0f} days"
        return [self._alert(f"{id_} {reason}", event.id, id_) for id_ in self.state.forget_absent(event.at, ABSENT_S)]

    def _doubt(self, event: Observed) -> list[Command]:
        """What contradicts itself is left alone until it does not any more; a person is called once."""
        before, self.state.doubts = self.state.doubts, event.doubts
        return [self._alert(f"{id_}: {why}", event.id, id_) for id_, why in event.doubts.items() if id_ not in before]

    def _due(self, now: float) -> bool:
        policy, last = self.state.policy, self.state.decided_at
        if policy is None or last is None or now < last:  # a clock that was set back is no reason to wait for it
            return policy is not None
        return now - last >= policy.every_s - DUE_TOLERANCE_S

    def _turn(self, event: Observed) -> list[Command]:
        """Decide, plan, record, and begin what was planned."""
        state = self.state
        state.decided_at = event.at
        snapshot = self.snapshot()
        judged = self._decide(event.id.removeprefix("e"), snapshot)
        state.totals.decided(judged.decision)
        state.ledger = state.ledger.wanting(
            judged.wanted_since or {}
        )  # what was not seen was not there without a break
        plan, grants = self.plan(judged, snapshot)
        audit = AuditRecord(judged.decision, plan, figures(snapshot), self._versions(), judged.alternatives)
        state.last = audit
        commands: list[Command] = [Record(audit, event.id)]
        if judged.decision.abstained.startswith(STRATEGY_FAILED):
            commands.append(self._alert(judged.decision.abstained, event.id, ""))
        if plan is None:
            return commands
        kept = tuple(grant for number, grant in enumerate(grants) if number not in plan.dropped)
        state.ledger = state.ledger.granted(kept, self._memory_s())
        goals = tuple(
            Goal(proposal.action, proposal.key, effect, infeasible=number in plan.dropped)
            for number, (proposal, effect) in enumerate(zip(judged.decision.granted, judged.effects, strict=True))
        )
        state.sagas = (*state.sagas, Saga(plan.id, tuple(Run(step) for step in plan.steps), goals))
        return commands + self._advance(event)

    def _decide(self, number: str, snapshot: Snapshot) -> Judged:
        state, policy = self.state, self.state.policy
        abstained = self._why_not(snapshot)
        if abstained or policy is None or self._strategy is None:
            return Judged(Decision(f"d{number}", snapshot.at, policy.name if policy else "", abstained=abstained))
        try:
            advice = self._strategy.propose(snapshot)
            proposals, certificate = checked(advice), getattr(advice, "certificate", None)
            forecast = self._toolbox.forecast(snapshot) if policy.conditions else {}
        except Exception as error:  # noqa: BLE001  a third party's code must not stop the controller
            reason = f"{STRATEGY_FAILED} {policy.strategy.name}: {type(error).__name__}: {error}"
            return Judged(Decision(f"d{number}", snapshot.at, policy.name, abstained=reason))
        wanted = wanted_since(proposals, state.ledger.wanted_since, snapshot.at)
        standing = Standing(
            policy=policy,
            ledger=state.ledger.wanting(wanted),
            paused=state.paused,
            stuck=state.alone,
            filling=filling(state.sagas),
            conditions=self._conditions,
            forecast=forecast,
        )
        judged = decide(number, snapshot, proposals, standing, arriving(state.sagas, state.history))
        weighed = getattr(advice, "alternatives", ())
        return replace(judged, wanted_since=wanted, certificate=certificate, alternatives=weighed)

    def _why_not(self, snapshot: Snapshot) -> str:
        """Why nothing is even proposed: no policy, an empty cluster, or not one fresh sample."""
        if self.state.policy is None:
            return "no policy is loaded"
        if not len(snapshot.app_vms):
            return "" if len(snapshot.services) else "nothing to manage: no app VM, no service"
        youngest, limit = float(snapshot.age_s.min()), self.state.policy.limits.fresh_s
        return (
            f"stale: the newest sample of all is {youngest:.0f} s old (limit {limit:.0f} s)" if youngest > limit else ""
        )

    def plan(self, judged: Judged, snapshot: Snapshot) -> tuple[Plan | None, tuple[Grant, ...]]:
        """The plan for what `judged` grants on `snapshot` (None: nothing), and the grants with all that it takes."""
        state = self.state
        if not judged.effects or state.policy is None:
            return None, ()
        shut = {*snapshot.in_flight, *state.paused, *state.alone}
        return plan_within_budgets(judged, snapshot, state.ledger, self._reserved(), state.policy.limits, shut)

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
            others = (*going, *state.sagas[row + 1 :])
            moved, moves = sagas.advance(saga, event.at, eyes(snapshot, others, limits, state.paused, state.alone))
            commands += [Execute(step, event.id) for step in moves.execute]
            commands += [Undo(step, step.id + sagas.UNDO, step.undo, event.id) for step in moves.undo if step.undo]
            commands += [self._alert(reason, event.id, subject) for subject, reason in moves.alerts]
            commands += self._note_stuck(saga, moved, event)
            if moved.finished:
                self._close(moved, event)
            else:
                going.append(moved)
        state.sagas = tuple(going)
        return commands

    def _note_stuck(self, before: Saga, after: Saga, event: Observed | StepEnded) -> list[Command]:
        """From the moment a step is stuck, what it was about is left alone, and a person is called."""
        commands: list[Command] = []
        for run in sagas.newly_stuck(before, after):
            ids = sagas.touched(run.step.action)
            self.state.stuck = {**self.state.stuck, **dict.fromkeys(ids, run.reason)}
            self.state.seen_at = {**self.state.seen_at, **dict.fromkeys(ids, event.at)}
            commands.append(self._alert(f"{ids[0]} is stuck: {run.reason}", event.id, ids[0]))
        return commands

    def _close(self, saga: Saga, event: Observed) -> None:
        """Count what came of each goal; the quiet time of what it touched begins now."""
        for goal in saga.goals:
            self.state.totals.actions[f"{goal.action} {came_of(goal, saga)}"] += 1
            if not goal.infeasible:
                ids = (goal.key, *goal.effect.touched)
                self.state.ledger = self.state.ledger.touching(goal.action.changes_replicas, ids, event.at)

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


HANDLERS: Mapping[type, Callable[..., list[Command]]] = {
    Observed: Engine._observed,  # noqa: SLF001  the table of this module's own class
    StepEnded: Engine._step_ended,  # noqa: SLF001
    PolicyChanged: Engine._policy_changed,  # noqa: SLF001
    OperatorSaid: Engine._operator_said,  # noqa: SLF001
}

__all__ = ["ENGINE_VERSION", "Engine", "Proposer", "Toolbox", "figures", "no_forecast"]
