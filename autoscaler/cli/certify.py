"""`plan --certify`: an independent verdict on one decision: is each instant of the plan safe, is the packing right, does the bound hold.

Separate from plan.py because it asks the checkers, which share nothing with who decided. Nothing is decided or judged here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any

from autoscaler import registry
from autoscaler.cli.loading import TOOLBOX
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.core.steps import Plan, StopAppVM
from autoscaler.errors import UsageError
from autoscaler.packing import checker, plan_checker
from autoscaler.strategies.optimal import Optimal
from autoscaler.strategies.question import Question, must_move, relief
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
    question = strategy.question(snapshot)
    told, wrong = (None, []) if plan is None else _claimed(snapshot, plan, question)
    of_plan = {"plan_faults": [*unsafe, *wrong], "plan_objective": told, "partial": told is None and plan is not None}
    return _packing(strategy, question, steps_s).model_copy(update=of_plan)


def _claimed(snapshot: Snapshot, plan: Plan, question: Question) -> tuple[float | None, list[str]]:
    """What the plan comes to where its certificate says something of that, and what is wrong with what it says. Who is stopped
    need not be moved first, as the certificate reckons: then the plan may cost less."""
    if plan.certificate is None:
        return None, []
    comes_to, says = plan_checker.cost(snapshot, plan, question.problem, question.rows), plan.certificate.objective
    stops = any(isinstance(step.action, StopAppVM) for step in plan.steps)
    right = math.isclose(comes_to, says, rel_tol=1e-9, abs_tol=1e-12) or (stops and comes_to < says)
    return comes_to, [] if right else [f"carried out, it costs {comes_to:.6g}; its certificate says {says:.6g}"]


def _packing(optimal: Optimal, question: Question, steps_s: float) -> CertifiedReport:
    """The best packing, checked; where somebody has to leave, the best relief, as `optimal` looks for."""
    crowded, unsafe = must_move(question.problem), list[str]()
    if crowded:
        question = Question(relief(question.problem), question.rows)
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
        relief=crowded,
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
    safe = (
        "every intermediate state of the plan is safe"
        if not report.plan_faults
        else "THE PLAN IS NOT WHAT IT SHOULD BE"
    )
    if report.plan_objective is not None and not report.plan_faults:
        safe += f", and it costs {report.plan_objective:.4f}"
    yield f"certified: {safe} (checked in {report.plan_checked_s:.2f} s)"
    yield from (f"  {fault}" for fault in (*report.plan_faults, *report.packing_faults))
    if report.objective is None:
        yield "  the policy's strategy is not `optimal`: nothing is proved about its cost"
        return
    sure = "confirmed by the checker" if report.bound_confirmed else f"the checker confirms {report.checkers_bound:.4f}"
    best = "cheapest relief that moves nobody else" if report.relief else "best packing"
    yield (
        f"  {best}: {report.objective:.4f} over the horizon; none costs less than {report.lower_bound:.4f} "
        f"(gap {report.gap_fraction:.2%}, {sure})"
    )
    if report.partial:
        yield "  what would be done now is not all of it: of its own cost nothing is claimed"
    yield f"  solved in {report.solved_s:.2f} s, checked in {report.packing_checked_s:.2f} s"
