"""The real cluster as the loop's `Source` and `Actuator`: one observation per look, and an account of steps from their submission
until they are journalled and forgotten.

Separate from the errands because it knows no kind of step: what is under way, what has ended, what was told. Steps are known to
agents by epoch and step id, so that submitting again is harmless, also after a crash of the controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from autoscaler.adapters.agents.errands import Ending, Errands, Kept, Underway
from autoscaler.adapters.agents.fencing import Fencing
from autoscaler.adapters.agents.look import Look
from autoscaler.adapters.agents.pushing import Pushing
from autoscaler.adapters.agents.recipes import EPOCH, AddressPool, Images, Recipe
from autoscaler.adapters.agents.sightings import Held
from autoscaler.adapters.providers import Rented
from autoscaler.agent.descriptions import StepReport, StepRequest
from autoscaler.core.events import Event, Execute, Observed, Outcome, StepEnded, Undo
from autoscaler.core.snapshot import CPU, MEMORY
from autoscaler.core.steps import StepAction
from autoscaler.errors import ActuationError, SourceError

T = TypeVar("T")
REMEMBERED = 256  # outcomes that can be told again without asking anybody; a plan has fewer steps in flight
RECOVERY = "recovery"  # the cause of what is submitted again after a restart (runtime.in_doubt)
KEPT_ENDED = 20  # app VMs of ours that ended by themselves, left on each cloud VM for a look at their logs


class Balancer(Protocol):
    """Clients' way to the replicas of a service."""

    def keep(self, replicas: Mapping[str, Mapping[str, str]]) -> None:
        """Send clients to exactly these: service -> app VM -> "address:port"."""
        ...

    def drained(self, app_vm: str) -> bool:
        """Whether nobody uses it any more."""
        ...


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a live cluster is made of. `recipes`: by service. `balancer` None: stops wait for nobody."""

    look: Look
    kept: Kept
    recipes: Mapping[str, Recipe]
    images: Images
    pool: AddressPool | None = None
    gateway: str = ""
    balancer: Balancer | None = None


class LiveCluster:
    """Time is what the loop says it is. Event ids are left empty: the loop gives them."""

    def __init__(self, wiring: Wiring) -> None:
        self._look, self._kept, self._balancer = wiring.look, wiring.kept, wiring.balancer
        self._recipes = wiring.recipes
        self._pushing = Pushing(wiring.look.agents, wiring.images)
        drained = (lambda _app_vm: True) if self._balancer is None else self._drained
        self._errands = Errands(
            wiring.look, wiring.kept, wiring.recipes, self._pushing, wiring.pool, wiring.gateway, drained
        )
        self._fencing = Fencing(wiring.look, wiring.kept)
        self._services = tuple(recipe.service for name, recipe in wiring.recipes.items() if name)
        self._underway: dict[str, Underway] = {}
        self._ended: dict[str, tuple[StepEnded, Underway | None]] = {}
        self._unreported: dict[str, None] = {}
        self._forgettable: dict[str, str] = {}  # steps that agents need not remember: id there -> cloud VM
        self._seen: dict[str, object] = {}

    def read(self, now: float) -> Iterable[Event]:
        """One observation, complete in the first. Raises SourceError where nothing can be seen."""
        self._look.take(now)
        self._errands.settle()
        sights = tuple(self._look.sightings.sights.values())
        clouds = self._look.cloud_vms(self._kept.cordoned)
        rows = {cloud_vm.id: row for row, cloud_vm in enumerate(clouds)}
        return (
            Observed(
                at=now,
                placement=np.array([rows[sight.place] for sight in sights], dtype=np.int64),
                sampled_at=np.array([sight.sampled_at for sight in sights], dtype=np.float64),
                samples={
                    CPU: np.array([sight.cpu_cores for sight in sights], dtype=np.float64),
                    MEMORY: np.array([sight.memory_bytes for sight in sights], dtype=np.float64),
                },
                catalogue=self._news("catalogue", self._look.provider.catalogue()),
                cloud_vms=self._news("cloud_vms", clouds),
                app_vms=self._news("app_vms", tuple(sight.app_vm for sight in sights)),
                services=self._news("services", self._services),
                doubts=self._look.doubts(),
            ),
        )

    def submit(self, command: Execute | Undo, now: float) -> None:
        """Begin a step, or the way back of one; again = no more than once."""
        step, action = _step_of(command)
        if step in self._underway:
            return
        if step in self._ended:
            self._unreported[step] = None
            return
        if not self._look.taken_once:
            self._first_look(now)
        try:
            begun = self._errands.begin(action, step, now, again=command.cause == RECOVERY)
        except ActuationError as error:
            if error.temporary:
                raise
            begun = Ending(done=False, reason=str(error))
        if isinstance(begun, Underway):
            self._underway[step] = begun
        else:
            self._end(Underway(step, action, now), begun, now)

    def ended(self, now: float) -> Iterable[Event]:
        """Outcomes not reported yet, and those asked for again. What was reported last time is journalled by now: agents may
        forget it."""
        self._let_forget()
        if self._underway:
            reports = self._step_reports()
            for under in (*self._underway.values(),):
                after = self._errands.proceed(under, reports)
                if isinstance(after, Ending):
                    self._end(under, after, now)
                else:
                    self._underway[under.step] = after
        self._keep_house()
        told = [self._ended[step] for step in self._unreported]
        self._unreported.clear()
        self._forgettable |= {under.wire_id: under.cloud_vm for _, under in told if under is not None}
        return [event for event, _ in told]

    def newest_step_number(self, now: float) -> int:
        """The highest number of an event among steps of our epoch that agents remember: a journal that ends before it has
        lost its end. 0 where they remember none. Raises SourceError."""
        if not self._look.taken_once:
            self._look.take(now)
        mark = self._errands.wire_id("p")
        found = self._look.of_all(self._answering(), lambda rented: self._look.agents.steps(rented.address))
        ids = [id_ for steps in found.values() if isinstance(steps, Mapping) for id_ in steps if id_.startswith(mark)]
        return max((_number(id_.removeprefix(mark)) for id_ in ids), default=0)

    def close(self) -> None:
        self._pushing.close()
        self._look.close()

    def _first_look(self, now: float) -> None:
        try:
            self._look.take(now)
        except SourceError as error:
            raise ActuationError(str(error), temporary=True) from error

    def _end(self, under: Underway, ending: Ending, now: float) -> None:
        self._underway.pop(under.step, None)
        if not ending.done:
            self._errands.give_up(under.action)
        ended = StepEnded(
            at=now,
            step=under.step,
            outcome=Outcome.DONE if ending.done else Outcome.FAILED,
            reason=ending.reason,
            total_s=now - under.began_at if ending.total_s is None else ending.total_s,
            downtime_s=ending.downtime_s,
            sent_bytes=ending.sent_bytes,
            phases=ending.phases,
        )
        self._ended[under.step] = (ended, under if under.cloud_vm else None)
        self._unreported[under.step] = None
        for step in list(self._ended)[: max(0, len(self._ended) - REMEMBERED)]:
            if step not in self._unreported:
                del self._ended[step]

    def _step_reports(self) -> Mapping[str, Mapping[str, StepReport]]:
        """What the agents that have steps of ours say of them; nothing of one that does not answer."""
        places = {under.cloud_vm for under in self._underway.values()}
        asked = [rented for id_, rented in self._look.rented.items() if id_ in places]
        found = self._look.of_all(asked, lambda rented: self._look.agents.steps(rented.address))
        return {id_: steps for id_, steps in found.items() if isinstance(steps, Mapping)}

    def _let_forget(self) -> None:
        """Agents that cannot now are told next time; those that are gone have forgotten."""
        for wire_id, cloud_vm in (*self._forgettable.items(),):
            rented = self._look.rented.get(cloud_vm)
            try:
                if rented is not None:
                    self._look.agents.forget(rented.address, wire_id)
                del self._forgettable[wire_id]
            except ActuationError:
                continue

    def _drained(self, app_vm: str) -> bool:
        assert self._balancer is not None, "asked only where there is one"
        self._balance()
        return self._balancer.drained(app_vm)

    def _balance(self) -> None:
        """Clients go to what runs and shall not stop. A balancer that fails holds up stops, not the loop."""
        if self._balancer is None or not self._look.knows_addresses:
            return
        replicas: dict[str, dict[str, str]] = {name: {} for name, recipe in self._recipes.items() if recipe.port}
        for id_, sight in self._look.sightings.sights.items():
            recipe = self._recipes.get(sight.app_vm.service)
            served = sight.address and sight.state != "starting" and id_ not in self._errands.stopping
            if recipe and recipe.port and served:
                replicas[sight.app_vm.service][id_] = f"{sight.address}:{recipe.port}"
        try:
            self._balancer.keep(replicas)
        except ActuationError as error:
            self._look.notice(f"the load balancer is not up to date: {error}")

    def _keep_house(self) -> None:
        """What follows from the last look without a decision. Here and not in `read`: in shadow mode nothing is acted on."""
        if not self._look.taken_once:
            return
        self._look.provider.sweep()
        self._fencing.keep()
        self._forget_cordons()
        self._balance()
        self._tidy()

    def _forget_cordons(self) -> None:
        for id_ in (*self._kept.cordoned,):
            if id_ not in self._look.rented:
                self._kept.cordon(id_, on=False)

    def _tidy(self) -> None:
        """What we started and stopped is removed; what ended by itself stays for a look, the newest of it."""
        ours = [held for held in self._look.sightings.ended if held.report.spec.labels.get(EPOCH) == self._kept.epoch]
        by_itself = [held for held in ours if held.report.ended is not None and held.report.ended.how != "stopped"]
        by_itself.sort(key=lambda held: held.report.ended.at if held.report.ended else 0.0)
        for held in ours:
            if held not in by_itself or held in by_itself[:-KEPT_ENDED]:
                self._remove(held)

    def _remove(self, held: Held) -> None:
        """Under an id of its own: removing twice is once."""
        rented, uuid = self._look.rented.get(held.place), held.report.spec.uuid
        wire_id = self._errands.wire_id(f"remove-{uuid}")
        if rented is None or held.report.state != "stopped" or wire_id in self._forgettable:
            return
        try:
            self._look.agents.put_step(rented.address, wire_id, StepRequest("remove", uuid=uuid))
        except ActuationError:
            return  # it is listed again next time
        self._forgettable[wire_id] = rented.id

    def _answering(self) -> Sequence[Rented]:
        return [rented for id_, rented in self._look.rented.items() if id_ in self._look.answers]

    def _news(self, name: str, value: T) -> T | None:
        """The value where it is another than last time."""
        if name in self._seen and self._seen[name] == value:
            return None
        self._seen[name] = value
        return value


def _step_of(command: Execute | Undo) -> tuple[str, StepAction]:
    if isinstance(command, Undo):
        return command.undo_id, command.action
    return command.step.id, command.step.action


def _number(step: str) -> int:
    """Of `57.s1`, a step's id without its `p`: 57."""
    digits = step.split(".", maxsplit=1)[0]
    return int(digits) if digits.isdecimal() else 0
