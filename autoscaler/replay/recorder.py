"""A watcher of the loop that writes down what a replay's score and report need: load, money, energy, moves, reasons.

Separate from the world's own tally because these figures are about the controller's doings (flapping, elasticity) or need
power curves. It changes nothing and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields

import numpy as np

from autoscaler.core.events import Alert, Command, Event, Execute, Observed, Outcome, Record, StepEnded
from autoscaler.core.model import Action, CloudVM
from autoscaler.core.snapshot import CPU, FloatArray, IntArray
from autoscaler.core.steps import Migrate, StartAppVM, Step, StopAppVM
from autoscaler.packing.power import PowerCurves, curve
from autoscaler.replay.outcome import Happening, Timeline
from autoscaler.sim.elasticity import Elasticity, elasticity
from autoscaler.sim.score import Score
from autoscaler.sim.world import World

FLAP_S = 3600.0  # moved, or started and stopped, again within this time
J_PER_KWH = 3.6e6
MOST_PLACEMENTS = 400  # columns of the report's placement over time
RENAMED = ("cost", "demand_unserved_fraction", "overloaded_fraction")  # of the world's score: they stand first
FIGURES: tuple[str, ...] = (  # of `Recorder.score`, in its order
    *("cost", "unserved_fraction", "overloaded_fraction"),
    *map(str, Action),
    *("flapping", "energy_kwh", "slatah", "pdm", "slav", "esv"),
    *(field.name for field in fields(Elasticity)),
    *(field.name for field in fields(Score) if field.name not in RENAMED),
)


class Recorder:
    """`ticks`: how many there will be, so that placements can be thinned out evenly."""

    def __init__(self, world: World, ticks: int) -> None:
        self.timeline = Timeline()
        self._world, self._every = world, max(1, ticks // MOST_PLACEMENTS)
        self._actions: Counter[str] = Counter()
        self._steps: dict[str, Step] = {}
        self._service_of: dict[str, str] = {}  # by step: an app VM that has stopped cannot be asked any more
        self._touched_at: dict[str, float] = {}
        self._flaps = 0
        self._energy_j = self._lost_core_s = 0.0
        self._cloud_vms: tuple[CloudVM, ...] | None = None
        self._size = 1.0
        self._seen: tuple[float, float, float] | None = None  # at, demanded, unserved

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del now
        if isinstance(event, Observed):
            self._observe(event)
        elif isinstance(event, StepEnded):
            self._step_ended(event)
        for command in commands:
            if isinstance(command, Execute):
                self._steps[command.step.id] = command.step
                self._service_of[command.step.id] = self._service(command.step)
            elif isinstance(command, Record):
                self._write_down(command)
            elif isinstance(command, Alert):
                at = self._world.now
                self.timeline.happenings.append(Happening(at, "alert", command.subject, command.reason))

    def score(self) -> Mapping[str, float]:
        """All figures, in an order that never changes."""
        world = self._world.score
        energy_kwh, slatah = self._energy_j / J_PER_KWH, world.overloaded_fraction
        pdm = self._lost_core_s / world.demanded_core_s if world.demanded_core_s else 0.0
        line = self.timeline
        follows = elasticity(np.array(line.demand_cores), np.array(line.capacity_cores), self._size)
        return {
            "cost": world.cost,
            "unserved_fraction": world.demand_unserved_fraction,
            "overloaded_fraction": world.overloaded_fraction,
            **{str(action): self._actions[str(action)] for action in Action},
            "flapping": self._flaps,
            "energy_kwh": energy_kwh,
            "slatah": slatah,
            "pdm": pdm,
            "slav": slatah * pdm,
            "esv": energy_kwh * slatah * pdm,
            **asdict(follows),
            **_rest(world),
        }

    def _observe(self, event: Observed) -> None:
        world, line = self._world, self.timeline
        if self._cloud_vms is not world.estate.clouds.identities:
            self._cloud_vms = world.estate.clouds.identities
            sizes = dict.fromkeys(cloud_vm.size for cloud_vm in self._cloud_vms)
            kinds = {size: kind for kind, size in enumerate(sizes)}
            self._kind = np.array([kinds[cloud_vm.size] for cloud_vm in self._cloud_vms], dtype=np.int64)
            self._curves = PowerCurves([curve(size.name, size.cores) for size in sizes]) if sizes else None
            self._cores = np.array([cloud_vm.size.cores for cloud_vm in self._cloud_vms], dtype=np.float64)
        self._bill(event.at, event.samples[CPU], event.placement)
        line.at.append(event.at)
        line.capacity_cores.append(float(self._cores.sum()))
        line.price_per_hour.append(sum(cloud_vm.size.price_per_hour for cloud_vm in self._cloud_vms))
        if (len(line.at) - 1) % self._every == 0:
            line.sizes.append(Counter(cloud_vm.size.name for cloud_vm in self._cloud_vms))
            hosts = np.bincount(event.placement[event.placement >= 0], minlength=len(self._cloud_vms)).tolist()
            line.placement.append({c.id: count for c, count in zip(self._cloud_vms, hosts, strict=True)})

    def _bill(self, at: float, cpu: FloatArray, placement: IntArray) -> None:
        """Energy, demand and what was not served since the last observation; loads are means of that time."""
        tally = self._world.estate.tally
        demanded, unserved = tally.demanded_core_s, tally.unserved_core_s
        if self._seen is None:
            self._size = max(float(self._cores.sum()), 1.0)
            rates = self._world.rates()
            self.timeline.demand_cores.append(rates.demanded_cores)
            self.timeline.unserved_cores.append(rates.unserved_cores)
        else:
            span_s = max(at - self._seen[0], 1e-9)
            self.timeline.demand_cores.append((demanded - self._seen[1]) / span_s)
            self.timeline.unserved_cores.append((unserved - self._seen[2]) / span_s)
            if self._curves is not None:
                placed = placement >= 0
                used = np.bincount(placement[placed], weights=np.nan_to_num(cpu[placed]), minlength=len(self._cores))
                load = np.minimum(used / self._cores, 1.0)
                self._energy_j += float(self._curves.draw(self._kind, load).sum()) * span_s
        self._seen = (at, demanded, unserved)

    def _write_down(self, command: Record) -> None:
        for proposal in command.audit.decision.granted:
            self._actions[str(proposal.action)] += 1
            self.timeline.happenings.append(
                Happening(command.audit.decision.at, str(proposal.action), proposal.key, proposal.reason)
            )

    def _step_ended(self, event: StepEnded) -> None:
        step, service = self._steps.pop(event.step, None), self._service_of.pop(event.step, "")
        if step is None or event.outcome is not Outcome.DONE:
            return
        if isinstance(step.action, Migrate):
            self._touch(step.action.app_vm, event.at)
            self._lost_core_s += event.downtime_s * self._use_of(step.action.app_vm)
        elif isinstance(step.action, StartAppVM):
            self._touch(service, event.at, "start")
        elif isinstance(step.action, StopAppVM):
            self._touch(service, event.at, "stop")

    def _service(self, step: Step) -> str:
        if isinstance(step.action, StartAppVM):
            return step.action.app_vm.service
        row = self._world.estate.apps.row(step.action.app_vm) if isinstance(step.action, StopAppVM) else None
        return "" if row is None else self._world.estate.apps.identities[row].service

    def _touch(self, subject: str, at: float, how: str = "") -> None:
        """A migration again within FLAP_S flaps; a start flaps after a stop of the same service, and the reverse."""
        opposite = {"start": "stop", "stop": "start"}.get(how, "")
        before = self._touched_at.get(f"{subject} {opposite}")
        if before is not None and at - before < FLAP_S:
            self._flaps += 1
        self._touched_at[f"{subject} {how}"] = at

    def _use_of(self, app_vm: str) -> float:
        row = self._world.estate.apps.row(app_vm)
        use = float(self._world.estate.apps["sample_cores"][row]) if row is not None else 0.0
        return use if np.isfinite(use) else 0.0


def _rest(world: Score) -> Mapping[str, float]:
    counted = asdict(world)
    for named in RENAMED:
        del counted[named]
    return counted
