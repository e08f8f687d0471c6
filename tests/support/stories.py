"""Drives one engine by hand: events in, commands out as lines that a reader can check. No simulated time, no ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import (
    Alert,
    Command,
    Event,
    Execute,
    Observed,
    OperatorSaid,
    Outcome,
    PolicyChanged,
    Record,
    StepEnded,
    Undo,
    Word,
)
from autoscaler.core.model import CloudVM
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import StepAction

FREE = Limits(worth_it_k=None, cpu_headroom_fraction=0.0, memory_headroom_fraction=0.0)


class Wishes:
    """A strategy that wishes what it is told to; a function of the snapshot, or a list that is wished once."""

    def __init__(self) -> None:
        self.next: Callable[[Snapshot], Iterable[Proposal]] | Sequence[Proposal] = ()

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        if callable(self.next):
            return tuple(self.next(snapshot))
        wished, self.next = tuple(self.next), ()
        return wished


def policy(limits: Limits = FREE, **more) -> Policy:
    return Policy("test", StrategySpec("wishes"), limits=limits, **{"every_s": 60.0, "window_samples": 3, **more})


def toolbox(wishes: Wishes, conditions: Mapping[str, Callable] | None = None) -> Toolbox:
    return Toolbox(build_strategy=lambda _spec: wishes, compile_condition=(conditions or {}).__getitem__)


class Story:
    """`tell(event)` gives the commands' lines; ids of events count from e1 as the loop's do."""

    def __init__(self, limits: Limits = FREE, **more) -> None:
        self.wishes = Wishes()
        self.engine = Engine(toolbox(self.wishes))
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.tell(PolicyChanged(0.0, policy(limits, **more)))

    @property
    def state(self):
        return self.engine.state

    def tell(self, event: Event) -> list[str]:
        stamped = replace(event, id=f"e{len(self.events) + 1}")
        self.events.append(stamped)
        commands = self.engine.handle(stamped)
        self.commands += commands
        return [line for command in commands if (line := told(command))]

    def sees(self, observed: Observed, *wishes: Proposal) -> list[str]:
        if wishes:
            self.wishes.next = wishes
        return self.tell(observed)

    def ends(self, step: str, outcome: str = "done", at: float = 0.0, **more) -> list[str]:
        return self.tell(StepEnded(at, step, Outcome(outcome), **more))

    def says(self, word: str, subject: str = "", at: float = 0.0, why: str = "") -> list[str]:
        return self.tell(OperatorSaid(at, Word(word), subject, why=why))

    def statuses(self) -> list[str]:
        return [f"{run.step.id} {run.status}" for saga in self.state.sagas for run in saga.runs]


def told(command: Command) -> str:
    """A command in one line; of a record only its denials, and nothing where there are none."""
    if isinstance(command, Execute):
        return f"{command.step.id}: {did(command.step.action)}"
    if isinstance(command, Undo):
        return f"{command.undo_id}: {did(command.action)}"
    if isinstance(command, Alert):
        return f"alert: {command.reason}"
    assert isinstance(command, Record)
    decision = command.audit.decision
    vetoes = [f"{d.proposal.action} {d.proposal.key}: {d.denials[0].guard}" for d in decision.denied]
    left_out = list(command.audit.plan.infeasible) if command.audit.plan else []
    return "; ".join([*([decision.abstained] if decision.abstained else []), *vetoes, *left_out])


def did(action: StepAction) -> str:
    match action.kind:
        case "start_app_vm":
            return f"start {action.app_vm.id} on {action.cloud_vm}"
        case "stop_app_vm":
            return f"stop {action.app_vm}"
        case "migrate":
            return f"migrate {action.app_vm} {action.source}>{action.target}"
        case "create_cloud_vm":
            return f"create {action.cloud_vm} {action.size.name}"
        case "release_cloud_vm":
            return f"release {action.cloud_vm}"
        case "cordon":
            return f"{'cordon' if action.on else 'uncordon'} {action.cloud_vm}"
    raise AssertionError(action)


def moves(text: str) -> tuple[Move, ...]:
    """ "a>Y b>" is a to Y and b to the new cloud VM."""
    return tuple(Move(name, target or None) for name, target in (part.split(">") for part in text.split()))


def consolidate(cloud_vm: str, text: str = "", **more) -> Consolidate:
    return Consolidate(cloud_vm, moves(text), "test", **more)


def separate(cloud_vm: str, text: str, new_size: str | None = None) -> Separate:
    return Separate(cloud_vm, moves(text), "test", new_size=new_size)


def scale_out(service: str, target: str | None = None) -> ScaleOut:
    return ScaleOut(service, "test", target=target)


def scale_in(service: str, app_vm: str) -> ScaleIn:
    return ScaleIn(service, app_vm, "test")


def scale_up(cloud_vm: str, size: str) -> ScaleUp:
    return ScaleUp(cloud_vm, size, "test")


def scale_down(cloud_vm: str, size: str) -> ScaleDown:
    return ScaleDown(cloud_vm, size, "test")


def without(observed: Observed, *cloud_vms: str) -> tuple[CloudVM, ...]:
    return tuple(c for c in observed.cloud_vms or () if c.id not in cloud_vms)
