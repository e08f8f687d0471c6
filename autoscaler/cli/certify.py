"""`plan --certify`: an independent verdict on one decision: is each instant of the plan safe, is the packing right, does the bound hold.

Separate from plan.py because it asks the checkers, which share nothing with who decided. Nothing is decided or judged here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from autoscaler import registry
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.errors import UsageError
from autoscaler.packing import checker, plan_checker
from autoscaler.strategies.optimal import Optimal
from autoscaler.telemetry.preview import planned, preview
from autoscaler.telemetry.reports import CertifiedReport, PlanPreview


def of_running(document: dict[str, Any]) -> tuple[PlanPreview, CertifiedReport]:
    """What the controller whose state is in `document` (GET /api/v1/state) would decide now, and the verdict, both made here:
    the controller is not trusted with it, nor kept from its work. Raises UsageError for another version's state."""
    from autoscaler.adapters import codec
    from autoscaler.core.engine import ENGINE_VERSION

    theirs = document.get("engine")
    try:
        state = codec.loads(json.dumps(document["state"]), EngineState) if theirs == ENGINE_VERSION else None
    except Exception:  # noqa: BLE001  whatever a document of other code makes the decoder raise
        state = None
    if state is None:
        raise UsageError(
            f"the controller's state (engine {theirs}) cannot be read here (engine {ENGINE_VERSION}); use the command of the "
            "same installation"
        )
    if state.policy is None:
        raise UsageError("the controller has no policy yet; try again after its first tick")
    return preview(state, TOOLBOX), certified(state, settled=False)


def certified(state: EngineState, *, settled: bool = True) -> CertifiedReport:
    """The verdict on what would be decided on `state`. For strategies other than `optimal` only the steps can be verified."""
    assert state.policy is not None
    _, snapshot, plan = planned(state, TOOLBOX, settled=settled)
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
    verdict = checker.check(question.problem, answer.packing, answer.objective, answer.lower_bound, answer.proof)
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
