"""What is told to the outside, as documents: the one shape of a decision, a plan and a status for HTTP, `--json` and people.

Separate from the core because it is a promise to readers: field names here change only with the API's version. Values are
copied, never judged; the schema in OpenAPI is generated from these types. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.model import AppVM, CloudVMSize
from autoscaler.core.proposals import Move, Proposal
from autoscaler.core.steps import Plan, Step, StepAction

Numbers = dict[str, float | None]


class Report(BaseModel):
    """Frozen, and complete: a field too many is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProposalReport(Report):
    """A wish: its action, what it is about, why, the numbers behind it, and what exactly is wanted."""

    action: str
    about: str
    reason: str
    evidence: Numbers
    wanted: dict[str, Any]


class DenialReport(Report):
    """One veto: `relax` is the smallest change that lifts it, `until` when it lifts by itself."""

    guard: str
    reason: str
    evidence: Numbers
    relax: str
    until: str | None


class DeniedReport(Report):
    """A refused wish with every veto against it; the first is the one counted."""

    proposal: ProposalReport
    denials: list[DenialReport]


class ExpectedReport(Report):
    """What a migration is expected to take, by the model and what earlier ones measured."""

    total_s: float
    downtime_s: float
    sent_bytes: float


class StepReport(Report):
    id: str
    kind: str
    details: dict[str, Any]
    requires: list[str]
    deadline_s: float
    undo: str | None
    expects: ExpectedReport | None = None


class CertificateReport(Report):
    """The plan's objective, a proven lower bound, and the gap between them. `relief`: of all that moves
    only who is where somebody has to leave, with every cloud VM kept; not of all plans."""

    objective: float
    lower_bound: float | None
    gap_fraction: float | None
    relief: bool = False


class AlternativeReport(Report):
    """A whole plan that the strategy weighed: what it costs over the horizon, and why it was not taken (empty: it was)."""

    plan: str
    objective: float | None
    why_not: str


class PlanReport(Report):
    id: str
    steps: list[StepReport]
    infeasible: list[str]
    certificate: CertificateReport | None


class DecisionReport(Report):
    """One decision with all that is needed to explain it."""

    id: str
    at: str
    policy: str
    abstained: str
    granted: list[ProposalReport]
    denied: list[DeniedReport]
    plan: PlanReport | None
    inputs: Numbers
    versions: dict[str, str]
    alternatives: list[AlternativeReport] = []


class DecisionBrief(Report):
    """One line of the list of decisions."""

    id: str
    at: str
    policy: str
    abstained: str
    granted: list[str]
    denied: list[str]
    steps: int


class DecisionList(Report):
    """Newest first; `next_before` asks for the older ones, null = there are none."""

    decisions: list[DecisionBrief]
    next_before: str | None


class Objective(Report):
    """What the plan is for, in the catalogue's currency per hour."""

    price_per_hour_before: float
    price_per_hour_after: float
    migrations: int


class CertifiedReport(Report):
    """What checkers that share nothing with who decided found: about each instant of the plan and what it comes to
    (`plan_objective`; null where nothing is claimed of that; `partial`: for it is not all of the packing), and about the
    packing and its bound (null where the strategy is not `optimal`; `relief`: of those in which every cloud VM is kept).
    Money over the horizon; no fault = verified."""

    plan_faults: list[str]
    plan_checked_s: float
    plan_objective: float | None = None
    partial: bool = False
    relief: bool = False
    packing_faults: list[str] = []
    objective: float | None = None
    lower_bound: float | None = None
    gap_fraction: float | None = None
    checkers_bound: float | None = None
    bound_confirmed: bool | None = None
    solved_s: float | None = None
    packing_checked_s: float | None = None


class PlanPreview(Report):
    """What would be decided now; nothing of it is carried out. `certified`: with `plan --certify` only."""

    decision: DecisionReport
    objective: Objective
    certified: CertifiedReport | None = None


def time_text(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond where it is not a whole second."""
    moment = datetime.fromtimestamp(round(at, 3), UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def decision_report(audit: AuditRecord) -> DecisionReport:
    decision = audit.decision
    return DecisionReport(
        id=decision.id,
        at=time_text(decision.at),
        policy=decision.policy,
        abstained=decision.abstained,
        granted=[proposal_report(proposal) for proposal in decision.granted],
        denied=[_denied(denied) for denied in decision.denied],
        plan=None if audit.plan is None else plan_report(audit.plan),
        inputs=numbers(audit.inputs),
        versions=dict(audit.versions),
        alternatives=[
            AlternativeReport(
                plan=other.plan,
                objective=other.objective if math.isfinite(other.objective) else None,
                why_not=other.why_not,
            )
            for other in audit.alternatives
        ],
    )


def decision_brief(audit: AuditRecord) -> DecisionBrief:
    decision: Decision = audit.decision
    return DecisionBrief(
        id=decision.id,
        at=time_text(decision.at),
        policy=decision.policy,
        abstained=decision.abstained,
        granted=[_title(proposal) for proposal in decision.granted],
        denied=[f"{_title(denied.proposal)}: {denied.denials[0].guard}" for denied in decision.denied],
        steps=len(audit.plan.steps) if audit.plan else 0,
    )


def proposal_report(proposal: Proposal) -> ProposalReport:
    spoken = ("reason", "evidence")
    wanted = {
        field.name: plain(getattr(proposal, field.name)) for field in fields(proposal) if field.name not in spoken
    }
    return ProposalReport(
        action=str(proposal.action),
        about=proposal.key,
        reason=proposal.reason,
        evidence=numbers(proposal.evidence),
        wanted=wanted,
    )


def plan_report(plan: Plan) -> PlanReport:
    certificate = plan.certificate
    return PlanReport(
        id=plan.id,
        steps=[_step(step) for step in plan.steps],
        infeasible=list(plan.infeasible),
        certificate=None
        if certificate is None
        else CertificateReport.model_validate(certificate, from_attributes=True),
    )


def details(action: StepAction) -> dict[str, Any]:
    """What a step is about, by field."""
    return {field.name: plain(getattr(action, field.name)) for field in fields(action)}


def plain(value: Any) -> Any:
    """A core value as JSON: an app VM or size by name, moves as pairs."""
    if isinstance(value, AppVM):
        return value.id
    if isinstance(value, CloudVMSize):
        return value.name
    if isinstance(value, Move):
        return {"app_vm": value.app_vm, "target": value.target}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def numbers(evidence: Mapping[str, float]) -> Numbers:
    """As JSON has them: what is not a number there (NaN, infinite) is null."""
    return {name: float(value) if math.isfinite(value) else None for name, value in evidence.items()}


def _title(proposal: Proposal) -> str:
    return f"{proposal.action} {proposal.key}"


def _denied(denied: Denied) -> DeniedReport:
    return DeniedReport(proposal=proposal_report(denied.proposal), denials=list(_denials(denied.denials)))


def _denials(denials: Iterable[Denial]) -> Iterable[DenialReport]:
    return (
        DenialReport(
            guard=denial.guard,
            reason=denial.reason,
            evidence=numbers(denial.evidence),
            relax=denial.relax,
            until=None if denial.until is None else time_text(denial.until),
        )
        for denial in denials
    )


def _step(step: Step) -> StepReport:
    expected = None if step.expects is None else step.expects.corrected
    return StepReport(
        id=step.id,
        kind=step.action.kind,
        details=details(step.action),
        requires=list(step.requires),
        deadline_s=step.deadline_s,
        undo=None if step.undo is None else step.undo.kind,
        expects=None
        if expected is None
        else ExpectedReport(total_s=expected.total_s, downtime_s=expected.downtime_s, sent_bytes=expected.sent_bytes),
    )
