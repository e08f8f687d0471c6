"""The simulated cluster's truth, frozen between calls of `advance`: who runs where, what is served, what it costs.

Separate from the ports (cluster.py) because it owns time and chance and knows no events of the loop but `StepEnded`. How a
kind of step goes is in actions.py, who gets how much CPU in contention.py. No policy, no I/O, no wall clock may be here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autoscaler.core.events import Outcome, StepEnded
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, BoolArray, FloatArray, IntArray
from autoscaler.core.steps import StepAction
from autoscaler.sim import founding, keeping
from autoscaler.sim.actions import DEEDS
from autoscaler.sim.chance import Purpose, stream
from autoscaler.sim.contention import Rates, share_out
from autoscaler.sim.demand import Demand
from autoscaler.sim.estate import RefusedError, Underway
from autoscaler.sim.scenario import Scenario
from autoscaler.sim.score import Score

OUTCOMES_REMEMBERED = 256  # far more steps than a saga has in flight when a controller dies
FAULT = "the simulated cluster failed it"
MS_PER_S = 1000


class World:
    """A world begins as its scenario says; `demand` replaces the demand that the scenario's shapes make (for replays).

    Time only goes forward: advancing to the past changes nothing. Between two changes (a demand step, a step's end or
    pause, a death) all rates are constant, so that the result does not depend on how often it is advanced.
    """

    def __init__(
        self, scenario: Scenario, *, demand: Demand | None = None, remember: int = OUTCOMES_REMEMBERED
    ) -> None:
        self.scenario, self.remember = scenario, remember
        self.demand = founding.demand_of(scenario) if demand is None else demand
        self.services = founding.services_of(scenario)
        self.estate = founding.found(scenario, self.demand.subjects)
        self._rates: Rates | None = None
        self._demand_until = -math.inf
        self._wanted_cores: FloatArray = np.zeros(0)
        self._take_sample(self.estate.now)

    @classmethod
    def restore(
        cls,
        scenario: Scenario,
        state: Mapping[str, Any],
        *,
        demand: Demand | None = None,
        remember: int = OUTCOMES_REMEMBERED,
    ) -> World:
        """A world that goes on exactly as the one whose `state()` it was would have."""
        world = cls(scenario, demand=demand, remember=remember)
        world.estate = keeping.estate_from(state, scenario, world.estate)
        world._rates, world._demand_until = None, -math.inf
        return world

    def state(self) -> dict[str, Any]:
        """Everything that changes, as JSON-able values (the scenario is not in it)."""
        return keeping.state_of(self.estate)

    @property
    def now(self) -> float:
        return self.estate.now

    @property
    def score(self) -> Score:
        return self.estate.tally.score()

    @property
    def placement(self) -> IntArray:
        """(app VMs,) row of the cloud VM each runs on, in order of first appearance."""
        return np.array(self.estate.apps["place"], dtype=np.int64)

    @property
    def sampled_at(self) -> FloatArray:
        return np.array(self.estate.apps["sampled_at"], dtype=np.float64)

    def samples(self) -> dict[str, FloatArray]:
        """Metric -> (app VMs,): what was used in the mean over the last advance; NaN where the sample was lost."""
        apps = self.estate.apps
        cores = np.array(apps["sample_cores"], dtype=np.float64)
        memory_bytes = apps["idle_memory_bytes"] + apps["busy_memory_bytes"] * cores / apps["cores"]
        return {CPU: cores, MEMORY: memory_bytes, DIRTY: apps["dirty_bytes_per_core_s"] * cores}

    def advance(self, now: float) -> bool:
        """Let time pass until `now`; whether any did."""
        if now <= self.now:
            return False
        begin = self.now
        self.estate.apps["served_core_s"] = 0.0
        while self.now < now:
            self._elapse(min(now, self._next_change()))
            self._settle()
        self._take_sample(begin)
        return True

    def submit(self, step: str, action: StepAction) -> bool:
        """Begin a step now; whether it is new. One that has ended is reported again; one under way goes on."""
        if step in self.estate.underway:
            return False
        if step in self.estate.outcomes:
            self.estate.unreported[step] = None
            return False
        self._begin(step, action)
        self._settle()
        return True

    def ended(self) -> tuple[StepEnded, ...]:
        """The outcomes not handed out yet, in the order in which the steps ended."""
        estate = self.estate
        ended = tuple(estate.outcomes[step] for step in estate.unreported)
        estate.unreported.clear()
        return ended

    def rates(self) -> Rates:
        """Who is served how much at this moment; also kept with each app VM's row."""
        if self._demand_until <= self.now:
            self._wanted_cores, self._demand_until = self.demand.at(self.now), self.demand.next_change(self.now)
            self._use_memory(self.demand.memory_bytes(self.now))
            self._rates = None
        if self._rates is None:
            apps = self.estate.apps
            self._rates = share_out(
                self._wanted_cores,
                apps["subject"],
                ~apps["paused"],
                apps["cores"],
                apps["place"],
                self.estate.clouds["cores"],
            )
            apps["served_cores"] = self._rates.served_cores
        return self._rates

    def _use_memory(self, recorded: FloatArray | None) -> None:
        """Memory in use as recorded, instead of by behaviour."""
        if recorded is None:
            return
        apps = self.estate.apps
        subject = apps["subject"]
        known = np.flatnonzero((subject >= 0) & ~np.isnan(recorded[subject]))
        apps["idle_memory_bytes"][known] = recorded[subject[known]]
        apps["busy_memory_bytes"][known] = 0.0

    def _next_change(self) -> float:
        """The next instant at which a rate may change."""
        self.rates()
        steps = (u.ends_at if u.pause_at is None else u.pause_at for u in self.estate.underway.values())
        return min(self._demand_until, float(self.estate.clouds["dies_at"].min(initial=math.inf)), *steps)

    def _elapse(self, until: float) -> None:
        """Serve, bill and count from now to `until`, at constant rates."""
        rates, estate, tally = self.rates(), self.estate, self.estate.tally
        elapsed_s = until - estate.now
        estate.apps["served_core_s"] += rates.served_cores * elapsed_s
        tally.demanded_core_s += rates.demanded_cores * elapsed_s
        tally.unserved_core_s += rates.unserved_cores * elapsed_s
        tally.hosting_s += rates.serving_cloud_vms * elapsed_s
        tally.overloaded_s += rates.overloaded_cloud_vms * elapsed_s
        tally.cloud_vm_s += len(estate.clouds) * elapsed_s
        tally.cost += float(estate.clouds["price_per_hour"].sum()) * elapsed_s / 3600.0
        tally.simulated_s += elapsed_s
        estate.now = until

    def _settle(self) -> None:
        """Everything that is due now: deaths first, then pauses and ends in the order in which the steps began."""
        for cloud_vm in [c.id for c, at in zip(*self._mortals(), strict=True) if at <= self.now]:
            self._die(cloud_vm)
        for under in list(self.estate.underway.values()):
            if under.ends_at <= self.now:
                self._end(under)
            elif under.pause_at is not None and under.pause_at <= self.now:
                self._pause(under)

    def _mortals(self) -> tuple[tuple[Any, ...], list[float]]:
        clouds = self.estate.clouds
        if not (clouds["dies_at"] <= self.now).any():
            return (), []
        return clouds.identities, clouds["dies_at"].tolist()

    def _begin(self, step: str, action: StepAction) -> None:
        self.rates()
        estate, faults = self.estate, self.scenario.faults
        fails, slow = stream(self.scenario.seed, Purpose.STEP, estate.accepted).random(2)
        estate.accepted += 1
        slowness = faults.slow_step_factor if slow < faults.slow_step_probability else 1.0
        try:
            course = DEEDS[type(action)].begin(estate, action, slowness)
        except RefusedError as refused:
            self._write_end(Underway(step, action, self.now, self.now), Outcome.FAILED, str(refused))
            return
        self._rates = None
        fault = FAULT if fails < faults.failed_step_probability else ""
        copied_at = self.now + course.total_s - course.downtime_s
        estate.underway[step] = Underway(
            step,
            action,
            began_at=self.now,
            ends_at=copied_at if fault else self.now + course.total_s,
            pause_at=copied_at if course.downtime_s and not fault else None,
            fault=fault,
            downtime_s=course.downtime_s,
            sent_bytes=course.sent_bytes,
            holds=course.holds,
        )

    def _pause(self, under: Underway) -> None:
        """Switch-over: the app VM of a migration serves nothing from now until its end."""
        self.estate.apps["paused"][self.estate.app(under.action.subjects[0])] = True
        self.estate.underway[under.step] = _paused(under)
        self._rates = None

    def _end(self, under: Underway) -> None:
        deed = DEEDS[type(under.action)]
        self._rates = None
        try:
            if under.fault:
                raise RefusedError(under.fault)  # noqa: TRY301 - one way to fail, whatever the cause
            deed.finish(self.estate, under, under.action)
        except RefusedError as refused:
            deed.abandon(self.estate, under)
            self._write_end(under, Outcome.FAILED, str(refused))
        else:
            self._write_end(under, Outcome.DONE)

    def _die(self, cloud_vm: str) -> None:
        """A cloud VM is gone with all its app VMs, and so is every step that needed one of them."""
        lost = self.estate.remove_cloud(self.estate.cloud(cloud_vm))
        self.estate.tally.cloud_vm_deaths += 1
        self.estate.tally.app_vms_lost += len(lost)
        self._rates = None
        for under in list(self.estate.underway.values()):
            deed = DEEDS[type(under.action)]
            if cloud_vm in deed.cloud_vms(under.action) or not set(lost).isdisjoint(under.action.subjects):
                deed.abandon(self.estate, under)
                self._write_end(under, Outcome.FAILED, f"cloud VM {cloud_vm!r} died")

    def _write_end(self, under: Underway, outcome: Outcome, reason: str = "") -> None:
        self.estate.end(under, outcome, reason, keep=self.remember)

    @property
    def silent(self) -> bool:
        """Whether a look at this moment gets no answer."""
        probability = self.scenario.faults.silent_probability
        luck = stream(self.scenario.seed, Purpose.SILENCE, round(self.now * MS_PER_S)) if probability > 0 else None
        return luck is not None and bool(luck.random() < probability)

    def _take_sample(self, begin: float) -> None:
        """Measure the window from `begin` to now; at the very start there is none, and the moment's rates are taken."""
        apps = self.estate.apps
        served_cores = self.rates().served_cores
        window_s = self.now - np.maximum(apps["started_at"], begin)
        measured = np.where(window_s > 0, apps["served_core_s"] / np.where(window_s > 0, window_s, 1.0), served_cores)
        lost = self._lost_samples()
        apps["sample_cores"] = np.where(lost, np.nan, measured)
        apps["sampled_at"] = np.where(lost, apps["sampled_at"], self.now)

    def _lost_samples(self) -> BoolArray:
        probability = self.scenario.faults.lost_sample_probability
        if probability <= 0:
            return np.zeros(len(self.estate.apps), dtype=np.bool_)
        luck = stream(self.scenario.seed, Purpose.SAMPLE, round(self.now * MS_PER_S))
        return np.asarray(luck.random(len(self.estate.apps)) < probability)


def _paused(under: Underway) -> Underway:
    return Underway(
        under.step,
        under.action,
        under.began_at,
        under.ends_at,
        downtime_s=under.downtime_s,
        sent_bytes=under.sent_bytes,
        holds=under.holds,
    )
