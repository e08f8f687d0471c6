"""The kinds of step: how each is begun, and how it is known to have ended. One class for those an agent carries out, one for
those of the provider; cordons are the controller's own.

Separate from cluster.py because that one keeps account of steps and this knows what they are. An errand refused for now raises a
temporary ActuationError and is begun again; one that cannot be done raises a permanent one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatchmethod

from autoscaler.adapters.agents.look import Look
from autoscaler.adapters.agents.pushing import Pushing
from autoscaler.adapters.agents.recipes import AddressPool, Recipe, files_of, written
from autoscaler.adapters.providers import Rented
from autoscaler.agent.descriptions import StepReport, StepRequest
from autoscaler.core.model import AppVM, CloudVMState
from autoscaler.core.steps import (
    Cordon,
    CreateCloudVM,
    Migrate,
    ReleaseCloudVM,
    StartAppVM,
    StepAction,
    StopAppVM,
)
from autoscaler.errors import ActuationError, SourceError

BOOTS_KEPT = 256  # a handover that waits for one older than that has waited for days
GONE = ("stopped",)  # in this state an app VM is nothing that a released cloud VM would take along


@dataclass(frozen=True, slots=True)
class Underway:
    """A step that has begun. `began_at`: the loop's time; `cloud_vm`, `wire_id`: where an agent knows it, and by which id; "" where
    no agent carries it out."""

    step: str
    action: StepAction
    began_at: float
    cloud_vm: str = ""
    wire_id: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """`done`, or why not; figures as agents measured them."""

    done: bool
    reason: str = ""
    total_s: float | None = None
    downtime_s: float = 0.0
    sent_bytes: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """What outlives the controller and no agent or cloud knows: which journal this is, which cloud VMs are cordoned, and who was
    where: cloud VM -> (its agent's name, the boot it answered under), also of some that are gone."""

    epoch: str
    cordoned: dict[str, None] = field(default_factory=dict)
    boots: dict[str, tuple[str, str]] = field(default_factory=dict)
    on_change: Callable[[Kept], None] = lambda _kept: None

    def cordon(self, id_: str, *, on: bool) -> None:
        self.cordoned = {other: None for other in self.cordoned if other != id_} | ({id_: None} if on else {})
        self.on_change(self)

    def note_boot(self, id_: str, agent: str, boot_id: str) -> None:
        if self.boots.get(id_) != (agent, boot_id):
            newest = [*self.boots.items(), (id_, (agent, boot_id))][-BOOTS_KEPT:]
            self.boots = dict(newest)
            self.on_change(self)


class Errands:
    """`recipes`: by service; "" is for app VMs of none. `drained`: whether clients have let go of an app VM that shall stop."""

    def __init__(
        self,
        look: Look,
        kept: Kept,
        recipes: Mapping[str, Recipe],
        pushing: Pushing,
        pool: AddressPool | None,
        gateway: str,
        drained: Callable[[str], bool],
    ) -> None:
        self._look, self._kept, self._recipes, self._pushing = look, kept, recipes, pushing
        self._pool, self._gateway, self._drained = pool, gateway, drained
        self._promised: dict[str, str] = {}  # app VM -> address, until the app VM is seen
        self.stopping: dict[str, None] = {}

    @singledispatchmethod
    def begin(self, action: StepAction, step: str, now: float, *, again: bool) -> Underway | Ending:
        """Begin it, or go on; `again`: after a restart, when it may have been done already."""
        del step, now, again
        raise TypeError(f"no rule for {type(action).__name__}: a kind of step needs one in adapters/agents/errands.py")

    @begin.register
    def _(self, action: StartAppVM, step: str, now: float, *, again: bool) -> Underway | Ending:
        del again
        rented, app_vm = self._look.reachable(action.cloud_vm), action.app_vm
        recipe = self._recipes.get(app_vm.service)
        if recipe is None:
            raise ActuationError(
                f"no image is known for {app_vm.id}: service {app_vm.service!r} is not in the config", temporary=False
            )
        address = self._address(app_vm)
        spec = written(
            app_vm, recipe, self._pushing.images, epoch=self._kept.epoch, address=address, gateway=self._gateway
        )
        self._pushing.ensure(rented, files_of(recipe))
        return self._send(step, action, now, rented, StepRequest("start", spec=spec))

    @begin.register
    def _(self, action: StopAppVM, step: str, now: float, *, again: bool) -> Underway | Ending:
        sight = self._look.sightings.find(action.app_vm)
        if sight is None:
            return self._stopped(action, step, now, again=again)
        rented = self._look.reachable(sight.place)
        self.stopping[action.app_vm] = None
        if not self._drained(action.app_vm):
            return Underway(step, action, now)
        recipe = self._recipes.get(sight.app_vm.service)
        request = StepRequest("stop", uuid=sight.uuid, patience_s=recipe.stop_patience_s if recipe else 10.0)
        return self._send(step, action, now, rented, request)

    @begin.register
    def _(self, action: Migrate, step: str, now: float, *, again: bool) -> Underway | Ending:
        sight = self._look.sightings.find(action.app_vm)
        if sight is None:
            raise ActuationError(f"there is no app VM {action.app_vm}", temporary=False)
        if again and sight.place == action.target:
            return self._known(step, action, now) or Ending(done=True)
        source, target = self._look.reachable(action.source), self._look.reachable(action.target)
        if not again and sight.place != action.source:
            raise ActuationError(f"{action.app_vm} is on {sight.place}, not on {action.source}", temporary=False)
        request = StepRequest("migrate", uuid=sight.uuid, target=target.agent, address=target.back_address)
        return self._send(step, action, now, source, request)

    @begin.register
    def _(self, action: CreateCloudVM, step: str, now: float, *, again: bool) -> Underway | Ending:
        if not again and action.cloud_vm in self._look.rented:
            raise ActuationError(f"cloud VM {action.cloud_vm} exists already", temporary=False)
        self._look.provider.create(action.cloud_vm, action.size)
        return Underway(step, action, now)

    @begin.register
    def _(self, action: ReleaseCloudVM, step: str, now: float, *, again: bool) -> Underway | Ending:
        rented = self._look.rented.get(action.cloud_vm)
        if rented is None:
            return _absent(f"there is no cloud VM {action.cloud_vm}", again=again)
        self._check_empty(rented)
        self._look.provider.release(rented.id)
        return Underway(step, action, now)

    @begin.register
    def _(self, action: Cordon, step: str, now: float, *, again: bool) -> Underway | Ending:
        del step, now
        if action.cloud_vm not in self._look.rented:
            return _absent(f"there is no cloud VM {action.cloud_vm}", again=again)
        self._kept.cordon(action.cloud_vm, on=action.on)
        return Ending(done=True)

    def proceed(self, under: Underway, reports: Mapping[str, Mapping[str, StepReport]]) -> Underway | Ending:
        """How it ended, or how it goes on. `reports`: cloud VM -> what its agent says of steps, of those that answer."""
        if under.cloud_vm:
            return self._carried_out(under, reports) or under
        if isinstance(under.action, StopAppVM):
            return self._once_drained(under)
        try:
            return self._provided(under) or under
        except SourceError:
            return under

    def settle(self) -> None:
        """After a look: addresses promised to who is seen now are no longer promises; who is gone is no longer stopping."""
        seen = self._look.sightings.sights
        self._promised = {name: address for name, address in self._promised.items() if name not in seen}
        self.stopping = {name: None for name in self.stopping if name in seen}

    def give_up(self, action: StepAction) -> None:
        """It ended without success: what was kept for it is free."""
        if isinstance(action, StartAppVM):
            self._promised.pop(action.app_vm.id, None)
        elif isinstance(action, StopAppVM):
            self.stopping.pop(action.app_vm, None)

    def _address(self, app_vm: AppVM) -> str:
        """The same for every submission of one start; never one that somebody has or was promised."""
        if self._pool is None:
            return ""
        sight = self._look.sightings.find(app_vm.id)
        if sight is not None and sight.address:
            return f"{sight.address}/{self._pool.prefix}"
        if app_vm.id not in self._promised:
            promised = {address.split("/")[0] for address in self._promised.values()}
            self._promised[app_vm.id] = self._pool.take(self._look.sightings.taken | promised)
        return self._promised[app_vm.id]

    def _stopped(self, action: StopAppVM, step: str, now: float, *, again: bool) -> Underway | Ending:
        if again and (known := self._known(step, action, now)) is not None:
            return known
        return _absent(f"there is no app VM {action.app_vm}", again=again)

    def _once_drained(self, under: Underway) -> Underway | Ending:
        """A stop that waits for clients to let go is sent when they have."""
        try:
            return self.begin(under.action, under.step, under.began_at, again=True)
        except ActuationError as error:
            return under if error.temporary else Ending(done=False, reason=str(error))

    def _known(self, step: str, action: StepAction, now: float) -> Underway | None:
        """Where some agent knows the step already."""
        wire_id = self.wire_id(step)
        reachable = [rented for id_, rented in self._look.rented.items() if id_ in self._look.answers]
        found = self._look.of_all(reachable, lambda rented: self._look.agents.step(rented.address, wire_id))
        place = next((id_ for id_, report in found.items() if isinstance(report, StepReport)), None)
        return None if place is None else Underway(step, action, now, place, wire_id)

    def _send(self, step: str, action: StepAction, now: float, rented: Rented, request: StepRequest) -> Underway:
        wire_id = self.wire_id(step)
        self._look.agents.put_step(rented.address, wire_id, request)
        return Underway(step, action, now, rented.id, wire_id)

    def wire_id(self, step: str) -> str:
        """Under which agents know a step: those of another journal never meet it."""
        return f"{self._kept.epoch}:{step}"

    def _carried_out(self, under: Underway, reports: Mapping[str, Mapping[str, StepReport]]) -> Ending | None:
        if under.cloud_vm not in self._look.rented and self._look.taken_once:
            return Ending(done=False, reason=f"cloud VM {under.cloud_vm} is gone")
        known = reports.get(under.cloud_vm)
        if known is None:
            return None
        report = known.get(under.wire_id)
        if report is None:
            return Ending(done=False, reason=f"the agent of {under.cloud_vm} no longer knows the step")
        if report.outcome == "running":
            return None
        figures = (report.total_s, report.downtime_s or 0.0, float(report.sent_bytes or 0), dict(report.phases))
        return Ending(report.outcome == "done", report.reason, *figures)

    def _provided(self, under: Underway) -> Ending | None:
        """A cloud VM is created when its agent answers, and released when the provider knows it no more."""
        (id_,) = under.action.subjects
        failure = self._look.provider.failure(id_)
        if failure:
            return Ending(done=False, reason=failure)
        if isinstance(under.action, ReleaseCloudVM):
            return None if self._look.exists_now(id_) else Ending(done=True)
        return Ending(done=True) if self._look.answers_now(id_) else None

    def _check_empty(self, rented: Rented) -> None:
        """Asked again just before: what runs on a cloud VM, or is saved there, would go with it."""
        starting = rented.state is CloudVMState.STARTING or rented.id not in self._look.silence.heard
        if starting and not self._look.hosts(rented.id):
            return
        self._look.reachable(rented.id)
        report = self._look.agents.host(rented.address)
        here = [app_vm.spec.name for app_vm in report.app_vms if app_vm.state not in GONE]
        if here:
            raise ActuationError(f"{rented.id} is not empty: {len(here)} app VMs, {here[0]} is one", temporary=False)


def _absent(reason: str, *, again: bool) -> Ending:
    """What is not there cannot be changed; after a restart it is what was wished."""
    return Ending(done=again, reason="" if again else reason)
