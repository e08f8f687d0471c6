"""What a denial says would help does help: each `relax` that names a limit is applied, and that guard no longer denies."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_worlds import RandomWishes, Run, policies, scenarios

from autoscaler.core.decide import decide
from autoscaler.core.engine import Engine
from autoscaler.core.flight import arriving, filling
from autoscaler.core.guards.case import Standing
from autoscaler.core.model import Action
from autoscaler.core.policy import Limits

ASKED = re.compile(r"limits\.([\w.]+)(?:\[(\d)\]\.(\w+))? (?:<=|>=) ([\d.]+)s?")
FIELDS = {
    "fresh": "fresh_s",
    "headroom.cpu": "cpu_headroom_fraction",
    "headroom.memory": "memory_headroom_fraction",
    "worth_it.k": "worth_it_k",
    "downtime_budget": "downtime_budget_s",
}


def relaxed(limits: Limits, relax: str) -> Limits | None:
    """`limits` with all that `relax` asks for; None where it asks for something that is no limit."""
    asked = [ASKED.fullmatch(part) for part in relax.split(" and ")]
    if None in asked:
        return None
    for name, number, field, value in (found.groups() for found in asked):
        if name == "budgets":
            budgets = list(limits.budgets)
            kind = float if field == "per_cent" else int
            budgets[int(number)] = replace(budgets[int(number)], **{field: kind(value)})
            limits = replace(limits, budgets=tuple(budgets))
        elif name in FIELDS:
            limits = replace(limits, **{FIELDS[name]: float(value)})
        else:
            family, action = name.split(".")
            limits = replace(
                limits, **{f"{family}_s": {**getattr(limits, f"{family}_s"), Action(action): float(value)}}
            )
    return limits


def judged(engine: Engine, limits: Limits, proposal):
    """The denials of one proposal as things stand, under `limits`."""
    state = engine.state
    standing = Standing(
        replace(state.policy, limits=limits), state.ledger, state.paused, state.stuck, filling(state.sagas)
    )
    coming = arriving(state.sagas, state.history)
    denied = decide("x", engine.snapshot(), (proposal,), standing, coming).decision.denied
    return denied[0].denials if denied else ()


def check(scenario, policy, seed, seen: Counter[str]) -> None:
    strict = replace(policy.limits, cpu_headroom_fraction=0.5, memory_headroom_fraction=0.5, downtime_budget_s=0.15)
    run = Run(scenario, policy, RandomWishes(seed))
    for _ in range(12):
        run.tick()
        for proposal in RandomWishes(seed + 1).propose(run.engine.snapshot()):
            for limits in (policy.limits, strict):
                for denial in judged(run.engine, limits, proposal):
                    helped = relaxed(limits, denial.relax)
                    if helped is not None:
                        seen[denial.guard] += 1
                        assert denial.guard not in {d.guard for d in judged(run.engine, helped, proposal)}, denial


def test_what_would_help_helps():
    seen: Counter[str] = Counter()

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(scenarios(), policies(), st.integers(0, 2**32 - 2))
    def every_world(scenario, policy, seed):
        check(scenario, policy, seed, seen)

    every_world()
    guards = {"freshness", "headroom", "stabilization", "cooldown", "budget", "downtime_budget", "worth_it"}
    assert {guard for guard in guards if seen[guard] < 5} == set()
