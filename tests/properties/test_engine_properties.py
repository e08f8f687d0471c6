"""Whatever is wished for and whatever fails: the real engine over the simulated cluster keeps its promises at every instant."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from clusters import CATALOGUE, MIB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_worlds import MOVERS, TICK_S, RandomWishes, Run, policies, scenarios, words_of

from autoscaler.core.engine import Engine
from autoscaler.core.events import Alert, Execute, Observed, OperatorSaid, Outcome, Record, StepEnded, Undo, Word
from autoscaler.core.expand import clash
from autoscaler.core.model import CloudVMState
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.saga import OPEN, Status
from autoscaler.core.steps import Migrate, StartAppVM
from autoscaler.sim.scenario import DemandShape, Faults, Scenario, SimulatedCloudVM, SimulatedService
from autoscaler.sim.world import FAULT

TICKS = 30
QUIET_TICKS = 150  # after the last wish: longer than any pause, patience or deadline of these worlds
SEEDS = st.integers(0, 2**32 - 1)
MODERATE = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Witness:
    """Looks at everything that goes in and out with eyes of its own, and knows what must not be."""

    def __init__(self, run: Run) -> None:
        self.run, self.limits = run, run.policy.limits
        self.paused: set[str] = set()
        self.forgiven: set[str] = set()
        self.given_up = 0
        self.spent: list[tuple[float, str, int, int]] = []  # at, action, number of the tick, migrations
        self.started: Counter[str] = Counter()
        self.observed: Observed | None = None
        self.clouds, self.apps = (), ()
        self.counts: Counter[str] = Counter()

    def watch(self, now, event, commands) -> None:
        if isinstance(event, OperatorSaid):
            (self.paused.add if event.word is Word.PAUSE else self.paused.discard)(event.subject)
            self.forgiven.add(event.subject)
        if isinstance(event, StepEnded):
            self.check_outcome(event)
        if isinstance(event, Observed):
            self.observed = event
            self.clouds = self.clouds if event.cloud_vms is None else event.cloud_vms
            self.apps = self.apps if event.app_vms is None else event.app_vms
            self.check_places()
        for command in commands:
            if isinstance(command, Record):
                self.check_record(now, command.audit)
            if isinstance(command, Alert) and "start_app_vm" in command.reason and "no outcome" in command.reason:
                self.given_up += 1
            if isinstance(command, Execute | Undo):
                self.check_step(command.action if isinstance(command, Undo) else command.step.action)
        self.check_slots()

    def check_outcome(self, event: StepEnded) -> None:
        """The actuator refuses what cannot be: memory, a closed or vanished cloud VM, a busy app VM. Nothing that was seen
        may be asked for; what failed, failed by chance or death, or because of a death that was not seen yet."""
        self.counts[event.outcome] += 1
        if event.outcome is Outcome.FAILED and event.reason != FAULT and "died" not in event.reason:
            assert self.run.cluster.world.score.cloud_vm_deaths, event.reason
            assert "needs" not in event.reason, event.reason

    def check_places(self) -> None:
        world = self.run.cluster.world
        assert all(world.estate.free_bytes(row) >= 0 for row in range(len(world.estate.clouds)))
        assert len({app.id for app in self.apps}) == len(self.apps)
        assert (self.observed.placement >= 0).all()
        for row, cloud_vm in enumerate(self.clouds):
            here = [app for app, place in zip(self.apps, self.observed.placement, strict=True) if place == row]
            assert all(clash(app, here) is None for app in here), cloud_vm.id
            assert all(app.pinned_to in ("", cloud_vm.id) for app in here)
        for service in world.services:
            running = sum(app.service == service.id for app in self.apps)
            assert running <= service.max_replicas + self.given_up  # a start that was given up may come after all

    def check_record(self, now, audit) -> None:
        decision, plan = audit.decision, audit.plan
        for denied in decision.denied:
            assert denied.denials
            for denial in denied.denials:
                assert all((denial.guard, denial.reason, denial.relax)), denial
                assert denial.until is None or denial.until > now
                self.counts[denial.guard] += 1
        migrations = (
            Counter(s.action.app_vm for s in plan.steps if isinstance(s.action, Migrate)) if plan else Counter()
        )
        kept = [g for n, g in enumerate(decision.granted) if n not in plan.dropped] if plan else []
        for proposal in kept:
            self.counts[proposal.action] += 1
            self.spent.append((now, proposal.action, decision.id, 0))
        if migrations:
            self.spent.append((now, "migrations", decision.id, migrations.total()))
        self.check_budgets(now, decision)

    def check_budgets(self, now, decision) -> None:
        for budget in self.limits.budgets:
            recent = [
                s for s in self.spent if (s[2] == decision.id if budget.per_s is None else now - s[0] < budget.per_s)
            ]
            if budget.count is not None:
                assert sum(action in budget.actions for _, action, _, _ in recent) <= budget.count
            if budget.migrations is not None and set(budget.actions) == set(MOVERS):
                assert (
                    sum(migrations for _, action, _, migrations in recent if action == "migrations")
                    <= budget.migrations
                )

    def check_step(self, action) -> None:
        """Nothing begins on stale data, nor on what is paused; nobody is started twice."""
        observed, rows = self.observed, {cloud_vm.id: row for row, cloud_vm in enumerate(self.clouds)}
        ages = observed.at - observed.sampled_at
        places = [rows[name] for name in (*action.subjects, *action.cloud_vms) if name in rows]
        for app, place, age in zip(self.apps, observed.placement, ages, strict=True):
            if app.id in action.subjects or place in places:
                assert age <= self.limits.fresh_s, (action, app.id, age)
            if app.id in action.subjects:
                assert app.service not in self.paused
        assert not len(ages) or ages.min() <= self.limits.fresh_s
        assert self.paused.isdisjoint(("", *action.subjects, *action.cloud_vms))
        if isinstance(action, StartAppVM):
            self.started[action.app_vm.id] += 1
            assert self.started[action.app_vm.id] == 1
            assert action.app_vm.service not in self.paused

    def check_slots(self) -> None:
        runs = [run for saga in self.run.engine.state.sagas for run in saga.runs if run.status == "running"]
        arrivals = [run.step.action for run in runs if run.step.action.arrival is not None]
        ends = Counter(end for action in arrivals for end in action.cloud_vms)
        assert len(arrivals) <= self.limits.parallel_migrations
        assert max(ends.values(), default=0) <= self.limits.parallel_migrations_per_cloud_vm


def carried_out(scenario, policy, seed, ticks=TICKS) -> tuple[Run, Witness]:
    chance = np.random.default_rng(seed)
    wishes = RandomWishes(seed, until=scenario.start_at + ticks * TICK_S)
    run = Run(scenario, policy, wishes, words_of(chance, scenario, ticks))
    witness = Witness(run)
    for _ in range(ticks):
        for turn in run.tick():
            witness.watch(*turn)
    return run, witness


@MODERATE
@given(scenarios(), policies(), SEEDS)
def test_the_promises_hold_at_every_instant_and_every_plan_ends(scenario, policy, seed):
    run, witness = carried_out(scenario, policy, seed)
    for _ in range(QUIET_TICKS):
        for turn in run.tick():
            witness.watch(*turn)
        if not run.engine.state.sagas:
            break
    state, score = run.engine.state, run.cluster.world.score
    for run_left in (run_left for saga in state.sagas for run_left in saga.runs if run_left.status in OPEN):
        assert run_left.status is Status.OWED
        assert "stuck" in run_left.reason or "old" in run_left.reason
    if not state.sagas:  # whatever was begun is finished or taken back, or a person knows
        closed = {c.id for c in witness.clouds if c.state is not CloudVMState.ACTIVE}
        assert closed <= state.stuck.keys() | witness.forgiven
    ended = Counter(event.step for _, event, _ in run.turns if isinstance(event, StepEnded))
    assert state.totals.steps.total() <= len(ended)  # each is told twice and counted once
    founded = sum(service.replicas for service in scenario.services) + len(scenario.app_vms)
    assert len(witness.apps) == founded + score.app_vm_starts - score.app_vm_stops - score.app_vms_lost


@settings(MODERATE, max_examples=30)
@given(scenarios(), policies(), SEEDS)
def test_the_same_events_give_the_same_commands(scenario, policy, seed):
    run, _ = carried_out(scenario, policy, seed)
    twin = Engine(run.toolbox)
    for _, event, commands in run.turns:
        assert repr(twin.handle(event)) == repr(commands)
    assert repr(twin.state.ledger) == repr(run.engine.state.ledger)


def renamed(text: str, names: dict[str, str]) -> str:
    """Ids stand in brackets, so no name is part of another."""
    return re.sub(r"\[[a-z]\w*\]", lambda found: names[found[0]], text)


def renamed_scenario(scenario: Scenario, names: dict[str, str]) -> Scenario:
    fields = {"__builtins__": {}, **{kind.__name__: kind for kind in (Scenario, *_parts(scenario))}}
    return eval(renamed(repr(scenario), names), fields)


def _parts(scenario: Scenario) -> set[type]:
    from autoscaler.core.model import CloudVMSize
    from autoscaler.sim import scenario as module

    return {CloudVMSize, *(v for v in vars(module).values() if isinstance(v, type))}


@settings(MODERATE, max_examples=30)
@given(scenarios(), policies(), SEEDS, st.randoms(use_true_random=False))
def test_other_names_change_nothing_but_names(scenario, policy, seed, chance):
    known = sorted(set(re.findall(r"\[[a-z]\w*\]", repr(scenario))))
    fresh = [f"[x{n:02}]" for n in range(len(known))]
    chance.shuffle(fresh)
    names = dict(zip(known, fresh, strict=True))
    run, _ = carried_out(scenario, policy, seed)
    other, _ = carried_out(renamed_scenario(scenario, names), policy, seed)
    for (_, _, commands), (_, _, others) in zip(run.turns, other.turns, strict=True):
        assert repr(others) == renamed(repr(commands), names)


def busy_run() -> str:
    """A digest of all commands of one eventful run."""
    scenario = Scenario(
        catalogue=CATALOGUE,
        cloud_vms=tuple(SimulatedCloudVM(f"c{n}", "medium") for n in range(5)),
        services=tuple(
            SimulatedService(f"s{n}", 3, 1, 8, 0.5, 200 * MIB, demand=DemandShape(base_cores=1.0)) for n in range(4)
        ),
        faults=Faults(failed_step_probability=0.05, lost_sample_probability=0.05),
    )
    run = Run(scenario, Policy("p", StrategySpec("r"), limits=Limits(worth_it_k=None), every_s=TICK_S), RandomWishes(5))
    for _ in range(40):
        run.tick()
    commands = [repr(command) for _, _, commands in run.turns for command in commands]
    assert sum("Migrate" in command for command in commands) > 20
    return hashlib.sha256("\n".join(commands).encode()).hexdigest()


def test_the_seed_of_hashes_changes_nothing():
    code = "import test_engine_properties as t; print(t.busy_run())"
    here = Path(__file__).parent
    digests = set()
    for hash_seed in ("1", "2"):
        path = os.pathsep.join([str(here), str(here.parent / "support")])
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        digests.add(ran.stdout.strip())
    assert digests == {busy_run()}


def test_the_random_worlds_are_worth_watching():
    """A property that never meets an action, a failure or a guard proves nothing: all six actions and most guards occur."""
    seen: Counter[str] = Counter()

    @settings(MODERATE, max_examples=40)
    @given(scenarios(), policies(), SEEDS)
    def watch(scenario, policy, seed):
        seen.update(carried_out(scenario, policy, seed)[1].counts)

    watch()
    actions = {"scale_out", "scale_in", "scale_up", "scale_down", "consolidate", "separate"}
    guards = {
        "paused", "freshness", "in_flight", "replicas", "pinning", "anti_affinity", "capacity", "headroom",
        "stabilization", "cooldown", "budget", "downtime_budget", "worth_it", "feasible",
    }  # fmt: skip
    assert {name for name in actions | guards if seen[name] < 3} == set()
    assert seen["failed"] > 10
