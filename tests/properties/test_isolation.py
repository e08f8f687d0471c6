"""Tenants never share a cloud VM, not for a moment: whatever is wished and whatever fails, with eyes that know nothing of guards.

At every event each cloud VM hosts one tenant, those that steps under way are bringing included; and every plan is safe under
every order in which its steps may end, by the checker that shares no code with the planner.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from clusters import CATALOGUE, app, cluster, snapshot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_worlds import TICK_S, RandomWishes, Run, policies, scenarios, words_of

from autoscaler.core.decide import decide
from autoscaler.core.effect import Effect, Relocation
from autoscaler.core.events import Observed, Record
from autoscaler.core.guards.case import Standing
from autoscaler.core.ledger import Ledger
from autoscaler.core.model import Service
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.proposals import Consolidate, Move, ScaleOut
from autoscaler.core.recheck import mixing
from autoscaler.core.steps import Migrate, StartAppVM
from autoscaler.errors import UsageError
from autoscaler.packing.plan_checker import faults
from autoscaler.sim.scenario import Scenario, SimulatedCloudVM, SimulatedService

LABEL, TICKS = "tenant", 30


def let(scenario, tenants: int):
    """Services and app VMs of `tenants` customers in turn, the last of them without a label, each on cloud VMs of its own."""

    def labels(n: int):
        return ((LABEL, f"t{n % tenants}"),) if n % tenants else (("other", "x"),)

    def on(n: int):
        return tuple(c.id for row, c in enumerate(scenario.cloud_vms) if row % tenants == n % tenants)

    services = tuple(replace(s, labels=labels(n), on=on(n)) for n, s in enumerate(scenario.services))
    own = tuple(replace(a, labels=labels(n), on=on(n)[0]) for n, a in enumerate(scenario.app_vms))
    return replace(scenario, services=services, app_vms=own)


def tenant(app_vm) -> str:
    return dict(app_vm.labels).get(LABEL, "none")


class Witnessed(Run):
    """A run that looks, after every event, at who is where and who is on the way."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.apps, self.clouds, self.placement = (), (), np.zeros(0)
        self.mixed, self.unsafe, self.counts = [], [], Counter()

    def _watch(self, now, event, commands) -> None:
        if isinstance(event, Observed):
            self.clouds = self.clouds if event.cloud_vms is None else event.cloud_vms
            self.apps = self.apps if event.app_vms is None else event.app_vms
            self.placement = event.placement
        for command in commands:
            if isinstance(command, Record):
                self.counts += Counter(d.guard for denied in command.audit.decision.denied for d in denied.denials)
                if command.audit.plan is not None:
                    self.counts["plans"] += 1
                    found = faults(self.engine.snapshot(), command.audit.plan, LABEL)
                    self.unsafe += [fault for fault in found if "may meet" in fault]
        self.mixed += [(now, cloud_vm, who) for cloud_vm, who in self.company().items() if len(who) > 1]

    def company(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        by_id = {app_vm.id: app_vm for app_vm in self.apps}
        for app_vm, row in zip(self.apps, self.placement, strict=True):
            found.setdefault(self.clouds[row].id, set()).add(tenant(app_vm))
        for run in (run for saga in self.engine.state.sagas for run in saga.runs if run.status == "running"):
            action = run.step.action
            if isinstance(action, StartAppVM):
                found.setdefault(action.cloud_vm, set()).add(tenant(action.app_vm))
            if isinstance(action, Migrate) and action.app_vm in by_id:
                found.setdefault(action.target, set()).add(tenant(by_id[action.app_vm]))
        return found


def carried_out(scenario, policy, seed) -> Witnessed:
    wishes = RandomWishes(seed, until=scenario.start_at + TICKS * TICK_S)
    run = Witnessed(scenario, policy, wishes, words_of(np.random.default_rng(seed), scenario, TICKS))
    for _ in range(2 * TICKS):
        run.tick()
    return run


def isolating(policy: Policy, label: str = LABEL) -> Policy:
    return replace(policy, limits=replace(policy.limits, isolate=label))


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(scenarios(), policies(), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_tenants_never_share_a_cloud_vm(scenario, policy, tenants, seed):
    assume(len(scenario.cloud_vms) >= tenants)
    try:
        witness = carried_out(let(scenario, tenants), isolating(policy), seed)
    except UsageError:  # what is to be there from the start does not fit
        assume(False)
    assert witness.mixed == []
    assert witness.unsafe == []


def test_without_the_limit_the_same_wishes_mix_them_and_with_it_something_still_happens():
    """So that the property above can fail, and is not kept by standing still."""
    scenario = let(
        Scenario(
            catalogue=CATALOGUE,
            cloud_vms=tuple(SimulatedCloudVM(f"[c{n}]", "medium") for n in range(4)),
            services=tuple(SimulatedService(f"[s{n}]", replicas=2, max_replicas=5) for n in range(2)),
        ),
        2,
    )
    policy = Policy("random", StrategySpec("random"), limits=Limits(worth_it_k=None), every_s=TICK_S, window_samples=4)
    loose, strict = carried_out(scenario, policy, 7), carried_out(scenario, isolating(policy), 7)
    assert loose.mixed
    assert strict.mixed == []
    assert strict.counts["isolation"] > 0
    assert strict.counts["plans"] > 5


def labelled(name: str, who: str, memory: int = 300, **more):
    return app(name, memory, labels=((LABEL, who),), **more)


def judged(here, *proposals, limits=None):
    policy = Policy("p", StrategySpec("hold"), limits=limits or Limits(isolate=LABEL, worth_it_k=None))
    return decide("1", here, proposals, Standing(policy, Ledger()))


def test_the_guard_says_who_would_share_what():
    here = snapshot(cluster({"c1": [labelled("a", "red")], "c2": [labelled("b", "blue")], "c3": [app("c", 300)]}))
    result = judged(here, Consolidate("c1", (Move("a", "c2"),), "save"), Consolidate("c3", (Move("c", "c2"),), "save"))
    first, second = (denied.denials[0] for denied in result.decision.denied)
    assert (first.guard, first.reason) == ("isolation", "a (tenant 'red') would share c2 with b (tenant 'blue')")
    assert second.reason == "c (no tenant) would share c2 with b (tenant 'blue')"
    assert first.relax == "another cloud VM than c2"


def test_a_new_replica_starts_where_its_own_tenant_is_or_on_a_new_cloud_vm():
    web = app("web", 300, labels=((LABEL, "red"),))
    service = Service("web", 1, 5, web)
    beside = snapshot(
        cluster({"c1": [labelled("b", "blue")], "c2": [replace(web, id="web-1", service="web")]}, services=[service])
    )
    result = judged(beside, ScaleOut("web", "more"))
    assert [arrival.cloud_vm for arrival in result.effects[0].starts] == ["c2"]
    alone = snapshot(cluster({"c1": [labelled("b", "blue")]}, services=[service]))
    (effect,) = judged(alone, ScaleOut("web", "more")).effects
    assert effect.creates[0].id == effect.starts[0].cloud_vm


def test_tenants_change_places_without_meeting_and_hasty_steps_are_found():
    """There is room for both on either, so that nothing but the limit keeps them from meeting."""
    here = snapshot(cluster({"c1": [labelled("a", "red")], "c2": [labelled("b", "blue")], "c3": []}))
    effect = Effect(moves=(Relocation("a", "c1", "c2"), Relocation("b", "c2", "c1")))
    plan = make_plan("p", "d", here, (effect,), {}, Limits(isolate=LABEL))
    assert plan.steps
    assert faults(here, plan, LABEL) == ()
    free = make_plan("p", "d", here, (effect,), {}, Limits())
    assert any("may meet" in fault for fault in faults(here, free, LABEL))
    hasty = replace(plan, steps=tuple(replace(step, requires=()) for step in plan.steps))
    assert any("may meet" in fault for fault in faults(here, hasty, LABEL))


def test_a_step_is_not_begun_where_another_tenant_has_come_meanwhile_or_is_coming():
    here = snapshot(cluster({"c1": [labelled("a", "red")], "c2": [labelled("b", "blue")], "c3": []}))
    assert mixing(Migrate("a", "c1", "c2"), here, (), LABEL) == "a and b on c2 are not of one tenant"
    assert mixing(Migrate("a", "c1", "c3"), here, (), LABEL) == ""
    assert mixing(Migrate("a", "c1", "c3"), here, (Migrate("b", "c2", "c3"),), LABEL) != ""
    assert mixing(Migrate("a", "c1", "c2"), here, (), "") == ""
