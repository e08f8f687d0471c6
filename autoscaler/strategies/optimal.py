"""All six actions decided together, in money: replicas by what one more is worth, sizes and placement by the optimiser.

Separate from `packing`, which knows no cluster, and from `question`, `demand` and `actions`, which know no decision: this file
conducts. What it wishes for carries a certificate: what it costs, and what no answer can cost less than (docs/objective.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from statistics import NormalDist

import numpy as np

from autoscaler.core.model import AppVM
from autoscaler.core.proposals import Advice, Alternative, Proposal
from autoscaler.core.snapshot import NOWHERE, FloatArray, Snapshot
from autoscaler.core.steps import Certificate
from autoscaler.packing.problem import kept, objective
from autoscaler.packing.solve import Answer, Effort, floor, solve
from autoscaler.strategies import demand as demands
from autoscaler.strategies import parameters
from autoscaler.strategies.actions import Script, one_investment
from autoscaler.strategies.demand import Demand, expected_shortfall
from autoscaler.strategies.foresight import FORECAST_DOC, ForecastName, expected, foresee, lead_s
from autoscaler.strategies.newcomers import with_sizes
from autoscaler.strategies.parameters import count, fraction, ratio
from autoscaler.strategies.promised import kept_promise
from autoscaler.strategies.question import HOUR_S, Question, Room, Weights, ask, must_move, relief
from autoscaler.strategies.replicas import Replicas
from autoscaler.strategies.weighed import Scales
from autoscaler.strategies.worth import pays

LEAST_ODDS, MOST_ODDS = 0.8, 0.99  # of the high quantile that a spread is made from: a median says nothing of it
IN_HASTE = 10  # relief takes so much less effort: all but a few stay, and it may be needed at every tick
SEED = 1  # of the optimiser's chance: the same snapshot gets the same answer


@dataclass(frozen=True, slots=True)
class Foretold:
    """Demand of services, and for each by whom it was foretold, or why by nobody."""

    demand: Demand
    reasons: tuple[str, ...]


Choice = tuple[list[Proposal], Certificate | None, tuple[Alternative, ...]]  # with what is proved, and what was weighed


def amount(default: float, doc: str) -> float:
    """Money or seconds, not negative."""
    return field(default=default, metadata={"doc": doc, "ge": 0.0})


@dataclass(frozen=True)
class Optimal:
    """Weigh price, unserved demand and moving against each other over a horizon, and prove how good the answer is."""

    horizon_s: float = amount(3600.0, "how long a decision is expected to last; savings are counted over it")
    unserved_price_per_core_hour: float = amount(1.0, "what a core-hour that was asked for and not served costs")
    downtime_price_per_minute: float = amount(0.3, "what a minute of an app VM's pause costs")
    moving_price_per_minute: float = amount(0.003, "what a minute of migration costs beside the pause")
    moving_price_per_gib: float = amount(0.0005, "what a GiB sent by migrations costs")
    start_up_s: float = amount(90.0, "how long a cloud VM is paid for before it serves")
    minimum_billing_s: float = amount(60.0, "the least that is billed for a cloud VM")
    bandwidth_bytes_per_s: float = amount(125e6, "network of a cloud VM, for predicting migrations")
    longest_pause_s: float = amount(1.5, "who may be paused for longer by a migration is not moved to save")
    hurdle: float = ratio(3.0, "how many times its moving costs a plan must save over the horizon")
    least_saving_fraction: float = fraction(0.05, "share of the bill below which nothing is moved to save")
    cpu_headroom_fraction: float = fraction(0.15, "CPU kept free where app VMs arrive; at least limits.headroom.cpu")
    cpu_ceiling_fraction: float = fraction(1.0, "expected CPU load above which app VMs have to leave a cloud VM")
    memory_headroom_fraction: float = fraction(0.05, "memory kept free; at least limits.headroom.memory")
    cpu_overcommit: float = ratio(4.0, parameters.OVERCOMMIT_DOC)
    replica_fill_fraction: float = fraction(0.8, "CPU load of a replica above which demand waits")
    hidden_fraction: float = fraction(demands.HIDDEN, "of what full replicas use, added for what could not be seen")
    samples: int = count(20, "how many of the newest samples demand is estimated from")
    lead_samples: int = count(2, "how many samples ahead demand is estimated: until what is decided now serves")
    forecast: ForecastName = field(default="auto", metadata={"doc": FORECAST_DOC})
    isolate: str = field(default="", metadata={"doc": "label whose values never share a cloud VM; empty: none"})
    boxes: int = count(200, "effort of the bound, in subproblems", 100_000)
    exchanges: int = count(1500, "effort of filling cloud VMs, in exchanges", 1_000_000)
    trials: int = count(60, "effort of improvement, in trials", 1_000_000)

    def propose(self, snapshot: Snapshot) -> Advice:
        foretold = self._demand(snapshot)
        replicas, coming = self._replicas(snapshot, foretold)
        if not snapshot.cloud_vms or not snapshot.catalogue:
            return Advice(tuple(replicas))
        question = self._question(snapshot, foretold.demand, coming)
        moving, certificate, weighed = self._moving(snapshot, question)
        certificate = kept_promise(snapshot, question, moving, certificate)
        replicas = with_sizes(snapshot, question.problem, coming, replicas, self._haste, SEED)
        out = [p for p in replicas if not p.action.saves_money]
        saved = [p for p in replicas if p.action.saves_money]
        return Advice((*out, *moving, *saved), certificate, weighed)

    def question(self, snapshot: Snapshot) -> Question:
        """What the optimiser is asked about `snapshot`."""
        foretold = self._demand(snapshot)
        return self._question(snapshot, foretold.demand, self._replicas(snapshot, foretold)[1])

    def _question(self, snapshot: Snapshot, services: Demand, coming: list[tuple[AppVM, float]]) -> Question:
        wanted = self._per_app_vm(snapshot, services, coming, self._deviations(snapshot))
        likely = self._per_app_vm(snapshot, services, coming, 0.0)
        weights = Weights(
            self.horizon_s,
            self.downtime_price_per_minute / 60,
            self.moving_price_per_minute / 60,
            self.moving_price_per_gib,
            self.start_up_s,
            self.minimum_billing_s,
            self.bandwidth_bytes_per_s,
            self.longest_pause_s,
        )
        room = Room(
            1 - self.cpu_headroom_fraction,
            self.cpu_ceiling_fraction,
            1 - self.memory_headroom_fraction,
            self.cpu_overcommit,
            self.isolate,
        )
        return ask(snapshot, wanted, likely, coming, weights, room)

    def answer(self, question: Question) -> Answer:
        """The best packing found, with its bound."""
        return solve(question.problem, Effort(self.boxes, self.exchanges, self.trials, 0.002), SEED)

    @property
    def _haste(self) -> Effort:
        return Effort(self.boxes, self.exchanges // IN_HASTE, self.trials // IN_HASTE, 0.002)

    def _moving(self, snapshot: Snapshot, question: Question) -> Choice:
        """Relief alone where somebody has to leave; otherwise the optimum, if it pays."""
        problem = question.problem
        if must_move(problem):
            eased = relief(problem)
            found = solve(eased, self._haste, SEED)
            if found.packing is None:
                return [], None, ()
            why = "some cannot stay together where they are, and this is the cheapest relief"
            bound = Certificate(found.objective, found.lower_bound, relief=True)
            asked = Question(eased, question.rows)
            script = Script(snapshot, asked, found.packing, why, _evidence(found))
            return script.proposals(), bound, Scales(snapshot, asked).relieving(found)
        hopeless = self._hopeless(question)
        found = hopeless or self.answer(question)
        if found.packing is None:
            return [], None, ()
        if hopeless:
            return self._letting_go(snapshot, question, found)
        now, moving = objective(problem, question.stay), question.moving_cost(found.packing)
        saved = (
            now - found.objective
        )  # moving is in it; what is idle is in neither: it goes by itself, whatever moving saves
        least = max((self.hurdle - 1) * moving, self.least_saving_fraction * now)
        if not pays(saved, moving, now, self.hurdle, self.least_saving_fraction):
            return self._letting_go(snapshot, question, found, (saved, moving, least))
        hours = self.horizon_s / HOUR_S
        why = f"all together saves {saved:.4f} in {hours:g} h, after {moving:.4f} for moving"
        evidence = {**_evidence(found), "saved": saved, "moving_cost": moving}
        certificate = Certificate(found.objective, found.lower_bound)
        script = Script(snapshot, question, found.packing, why, evidence)
        return one_investment(snapshot, script.saving()), certificate, Scales(snapshot, question).taking(found, now)

    def _hopeless(self, question: Question) -> Answer | None:
        """Staying, as an answer, where not even the bound is far enough below it: nothing need be looked for."""
        problem = question.problem
        if (problem.present == NOWHERE).any():
            return None
        now, bound = objective(problem, question.stay), floor(problem)
        return Answer(question.stay, now, min(bound, now)) if now - bound < self.least_saving_fraction * now else None

    def _letting_go(
        self, snapshot: Snapshot, question: Question, found: Answer, needed: tuple[float, float, float] | None = None
    ) -> Choice:
        """Moving does not pay (`needed`: saved, for moving, at least to be saved; None: not even looked for): only cloud VMs
        that nobody is on, or is to come to, are released."""
        assert found.packing is not None
        problem, now = question.problem, question.price_of_staying
        packing = question.without_idle(found.packing)
        idle = question.idle & ~kept(problem, packing)
        saved = float(problem.bin_price[idle].sum())
        bound = Certificate(now - saved, min(found.lower_bound, now - saved))
        scales, price = Scales(snapshot, question), now - saved
        weighed = scales.staying(packing, price, found, needed) if needed else scales.hopeless(packing, price, found)
        if not idle.any():
            return [], bound, weighed
        why = f"that saves {saved:.4f} in {self.horizon_s / HOUR_S:g} h and moves nobody"
        return (
            Script(snapshot, question, packing, why, {**_evidence(found), "saved": saved}).proposals(),
            bound,
            weighed,
        )

    def _deviations(self, snapshot: Snapshot) -> float:
        """Capacity is kept for as many standard deviations as pay: a core's price against that of its not being there."""
        core = min((s.price_per_hour / s.cores for s in snapshot.catalogue), default=0.0)
        odds = 1 - core / self.unserved_price_per_core_hour if self.unserved_price_per_core_hour > 0 else 0.5
        return NormalDist().inv_cdf(min(max(odds, 0.5), 0.999))

    def _demand(self, snapshot: Snapshot) -> Foretold:
        """Of services: measured, and foretold until a cloud VM that is rented now serves."""
        full = max(demands.FULL, (1 + self.replica_fill_fraction) / 2)  # what is filled on purpose is not yet full
        measured = demands.of_services(snapshot, self.samples, self.lead_samples, full, self.hidden_fraction)
        deviations = self._deviations(snapshot)
        odds = min(max(NormalDist().cdf(deviations), LEAST_ODDS), MOST_ODDS)
        until_s = lead_s(snapshot, self.start_up_s, self.bandwidth_bytes_per_s)
        foreseen = foresee(snapshot, self.forecast, odds, until_s)
        return Foretold(expected(measured, foreseen, NormalDist().inv_cdf(odds)), foreseen.reasons)

    def _per_app_vm(
        self, snapshot: Snapshot, services: Demand, coming: list[tuple[AppVM, float]], deviations: float
    ) -> FloatArray:
        """(app VMs,) cores each will want: its own, or its share of its service's."""
        wanted = demands.of_app_vms(snapshot, self.samples, self.lead_samples).quantile(deviations)
        shared = services.quantile(deviations)
        more = [app_vm.service for app_vm, _ in coming]
        for index, rows in enumerate(snapshot.by_service):
            if len(rows):
                each = shared[index] / (len(rows) + more.count(snapshot.services[index].id))
                wanted[rows] = np.minimum(each, snapshot.inventory.app_cores[rows])
        return np.asarray(np.minimum(wanted, snapshot.inventory.app_cores))

    def _replicas(self, snapshot: Snapshot, foretold: Foretold) -> tuple[list[Proposal], list[tuple[AppVM, float]]]:
        """What is wished for replicas, and those that are to come with what each will want."""
        demand = foretold.demand
        deviations, writer = self._deviations(snapshot), Replicas(snapshot)
        proposals: list[Proposal] = []
        coming: list[tuple[AppVM, float]] = []
        for index, service in enumerate(snapshot.services):
            made = writer.within_bounds(index) or self._valued(snapshot, writer, index, foretold)
            proposals += made
            running = len(snapshot.by_service[index])
            starts = min(sum(1 for p in made if not p.action.saves_money), max(0, service.max_replicas - running))
            each = float(demand.quantile(deviations)[index]) / max(1, running + starts)
            coming += [(replace(service.template, service=service.id), min(each, service.template.cores))] * starts
        return proposals, coming

    def _valued(self, snapshot: Snapshot, writer: Replicas, index: int, foretold: Foretold) -> list[Proposal]:
        """One more while it is worth its price now; one less only while it was not worth it at any time in the window."""
        service, running = snapshot.services[index], len(snapshot.by_service[index])
        if not running:
            return []
        price, demand = self._price_of(snapshot, service.template), foretold.demand
        spread, cores = float(demand.spread[index]), service.template.cores * self.replica_fill_fraction
        need = self._enough(float(demand.now[index]), spread, cores, price)
        least = self._enough(float(demand.high[index]), spread, cores, price)
        wanted = need if need > running else min(max(least, self._borne(snapshot, index, demand)), running)
        wanted = max(wanted, service.min_replicas)
        if wanted == running:
            return []
        mean = float(demand.now[index] if wanted > running else demand.high[index])
        short = expected_shortfall(mean, spread, min(wanted, running) * cores)
        reason = (
            f"{service.id} will want {mean:.2f} +- {spread:.2f} cores: {wanted} replicas (now {running}); with "
            f"{min(wanted, running)} {short:.3f} cores would be unserved, a replica costs {price:.4f} per hour; "
            f"{foretold.reasons[index]}"
        )
        evidence = {"mean_cores": mean, "spread_cores": spread, "shortfall_cores": short, "price_per_hour": price}
        return writer.change(index, wanted, reason, evidence)

    def _borne(self, snapshot: Snapshot, index: int, demand: Demand) -> int:
        """The fewest replicas whose shares of the highest demand the cloud VMs that they are on can still bear: whoever is
        stopped leaves his load to the others where they are."""
        here = snapshot.placement[snapshot.by_service[index]]
        mine = np.bincount(here, minlength=len(snapshot.cloud_vms))
        used = snapshot.on_cloud_vms(snapshot.cpu_in_use_cores)
        own = np.bincount(
            here, weights=snapshot.cpu_in_use_cores[snapshot.by_service[index]], minlength=len(snapshot.cloud_vms)
        )
        hosts = mine > 0
        left = snapshot.inventory.cloud_cores[hosts] * self.cpu_ceiling_fraction - (used - own)[hosts]
        share = float((left / mine[hosts]).min())
        return ceil(float(demand.high[index]) / share - 1e-9) if share > 0 else len(here)

    def _enough(self, mean: float, spread: float, cores: float, price: float) -> int:
        """The number of replicas up to which one more saves more unserved demand than it costs."""
        wanted = max(1, ceil((mean - 4 * spread) / cores))
        while True:
            gain = expected_shortfall(mean, spread, wanted * cores) - expected_shortfall(
                mean, spread, (wanted + 1) * cores
            )
            if gain * self.unserved_price_per_core_hour <= price:
                return wanted
            wanted += 1

    def _price_of(self, snapshot: Snapshot, app_vm: AppVM) -> float:
        """Per hour, of the room that a replica takes: its memory, and its allocation as far as that can run out."""
        sizes = snapshot.catalogue
        per_byte = min((s.price_per_hour / s.memory_bytes for s in sizes), default=0.0)
        per_core = min((s.price_per_hour / s.cores for s in sizes), default=0.0)
        return 0.5 * (per_byte * app_vm.memory_bytes + per_core * app_vm.cores / self.cpu_overcommit)


def _evidence(found: Answer) -> dict[str, float]:
    return {"objective": found.objective, "lower_bound": found.lower_bound, "gap_fraction": found.gap_fraction}
