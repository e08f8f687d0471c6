"""`plan --certify`: an independent verdict on one decision: is each instant of the plan safe, is the packing right, does the bound hold.

Separate from plan.py because it asks the checkers, which share nothing with who decided. Nothing is decided or judged here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from autoscaler import registry
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.packing import checker, plan_checker
from autoscaler.strategies.optimal import Optimal
from autoscaler.telemetry.preview import planned
from autoscaler.telemetry.reports import CertifiedReport


def certified(state: EngineState) -> CertifiedReport:
    """The verdict on what would be decided on `state` (a cluster in a file). For strategies other than `optimal` only the
    steps can be verified."""
    assert state.policy is not None
    _, snapshot, plan = planned(state, TOOLBOX, settled=True)
    begun = time.perf_counter()
    unsafe = () if plan is None else plan_checker.faults(snapshot, plan, state.policy.limits.isolate)
    steps_s = time.perf_counter() - begun
    strategy = registry.build(state.policy.strategy)
    if not isinstance(strategy, Optimal) or not len(snapshot.app_vms):
        return CertifiedReport(plan_faults=list(unsafe), plan_checked_s=steps_s)
    return _packing(snapshot, strategy, list(unsafe), steps_s)


def _packing(snapshot: Snapshot, optimal: Optimal, unsafe: list[str], steps_s: float) -> CertifiedReport:
    question = optimal.question(snapshot)
    begun = time.perf_counter()
    answer = optimal.answer(question)
    solved = time.perf_counter()
    if answer.packing is None:
        return CertifiedReport(
            plan_faults=unsafe, plan_checked_s=steps_s, packing_faults=["no packing was found"], solved_s=solved - begun
        )
    verdict = checker.check(question.problem, answer.packing, answer.objective, answer.lower_bound)
    return CertifiedReport(
        plan_faults=unsafe,
        plan_checked_s=steps_s,
        packing_faults=list(verdict.faults),
        objective=answer.objective,
        lower_bound=answer.lower_bound,
        gap_fraction=answer.gap_fraction,
        checkers_bound=verdict.own_bound,
        bound_confirmed=verdict.confirmed,
        solved_s=solved - begun,
        packing_checked_s=time.perf_counter() - solved,
    )


def lines(report: CertifiedReport) -> Iterator[str]:
    """For people."""
    yield ""
    safe = "every intermediate state of the plan is safe" if not report.plan_faults else "THE PLAN IS NOT SAFE"
    yield f"certified: {safe} (checked in {report.plan_checked_s:.2f} s)"
    yield from (f"  {fault}" for fault in (*report.plan_faults, *report.packing_faults))
    if report.objective is None:
        yield "  the policy's strategy is not `optimal`: nothing is proved about its cost"
        return
    sure = "confirmed by the checker" if report.bound_confirmed else f"the checker confirms {report.checkers_bound:.4f}"
    yield (
        f"  best packing: {report.objective:.4f} over the horizon; none costs less than {report.lower_bound:.4f} "
        f"(gap {report.gap_fraction:.2%}, {sure})"
    )
    yield f"  solved in {report.solved_s:.2f} s, checked in {report.packing_checked_s:.2f} s"
