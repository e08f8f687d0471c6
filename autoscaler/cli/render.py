"""A decision as people read it: what was granted and why, what was denied, by which guard, on which number, and what would help.

Reasons are shown as they were recorded; none is made up here. Every line fits 80 columns or is wrapped with an indent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.cli import show

if TYPE_CHECKING:
    from autoscaler.telemetry.reports import (
        AlternativeReport,
        DecisionReport,
        DenialReport,
        DeniedReport,
        PlanReport,
        ProposalReport,
        StepReport,
    )


def decision(report: DecisionReport, *, title: str = "", outcomes: Mapping[str, str] | None = None) -> Iterator[str]:
    """The whole decision. `title`: what to call it; `outcomes`: step id -> how it ended, for those that have."""
    yield f"{title or f'decision {report.id}'} at {show.moment(report.at)} UTC by policy {report.policy or '(none)'}"
    yield from _inputs(report.inputs)
    if report.abstained:
        yield from show.wrapped("nothing was proposed: " + report.abstained)
        return
    if not report.granted and not report.denied:
        yield "nothing was wished for: the strategy is content"
    for proposal in report.granted:
        yield ""
        yield from granted(proposal)
    for refused in report.denied:
        yield ""
        yield from denied(refused)
    if report.alternatives:
        yield ""
        yield from weighed(report.alternatives)
    if report.plan is not None:
        yield ""
        yield f"plan{'' if title else f' {report.plan.id}'}: {show.counted(len(report.plan.steps), 'step')}"
        yield from plan(report.plan, outcomes or {})


def granted(proposal: ProposalReport) -> Iterator[str]:
    yield from show.wrapped(f"granted: {proposal.action} {show.about(proposal.about, proposal.reason)}")
    yield from _numbers(proposal.evidence)


def denied(refused: DeniedReport) -> Iterator[str]:
    proposal = refused.proposal
    yield from show.wrapped(f"denied: {proposal.action} {show.about(proposal.about, proposal.reason)}")
    yield from _numbers(proposal.evidence)
    for denial in refused.denials:
        yield from _denial(denial)


def weighed(alternatives: Sequence[AlternativeReport]) -> Iterator[str]:
    """Whole plans, the one that was taken first, each with what it costs over the horizon and what was against it."""
    yield "weighed, as cost over the horizon:"
    for other in alternatives:
        cost = "unknown" if other.objective is None else f"{other.objective:.4f}"
        against = f"not taken: {other.why_not}" if other.why_not else "taken"
        yield from show.wrapped(f"{cost} {other.plan}: {against}", "  ")


def plan(report: PlanReport, outcomes: Mapping[str, str]) -> Iterator[str]:
    for step in report.steps:
        after = f", after {', '.join(name.rpartition('.')[2] for name in step.requires)}" if step.requires else ""
        outcome = f": {outcomes[step.id]}" if step.id in outcomes else ""
        yield from show.wrapped(f"{step.id.rpartition('.')[2]} {step_text(step)}{after}{outcome}", "  ")
    for reason in report.infeasible:
        yield from show.wrapped(f"cannot be reached: {reason}", "  ")
    if report.certificate is not None:
        certificate = report.certificate
        what = "relief that moves nobody else" if certificate.relief else "plan"
        bound = "" if certificate.lower_bound is None else f", no {what} can be below {certificate.lower_bound:.4f}"
        gap = "" if certificate.gap_fraction is None else f" (gap {show.per_cent(certificate.gap_fraction)})"
        yield f"  objective {certificate.objective:.4f}{bound}{gap}"


def step_text(step: StepReport) -> str:
    """`migrate web-1 from cloud-1 to cloud-2`, and the like, for any kind of step."""
    details = dict(step.details)
    words = [step.kind]
    words += [str(details.pop(name)) for name in ("app_vm",) if name in details]
    words += [
        f"{word} {details[name]}".strip()
        for name, word in (("source", "from"), ("target", "to"), ("cloud_vm", "on" if "app_vm" in step.details else ""))
        if name in details
    ]
    if "size" in details:
        words.append(f"({details['size']})")
    return " ".join(words)


def _denial(denial: DenialReport) -> Iterator[str]:
    yield from show.wrapped(f"{denial.guard}: {denial.reason}", "  ")
    if denial.relax:
        yield from show.wrapped(f"would pass with: {denial.relax}", "    ")
    if denial.until is not None:
        yield from show.wrapped(f"passes by itself at {show.moment(denial.until)} UTC", "    ")


def _inputs(inputs: Mapping[str, float | None]) -> Iterator[str]:
    known = {name: value for name, value in inputs.items() if value is not None}
    if {"cloud_vms", "app_vms", "cpu_load_fraction", "memory_load_fraction", "price_per_hour"} <= known.keys():
        yield (
            f"on {show.counted(known['cloud_vms'], 'cloud VM')}, {show.counted(known['app_vms'], 'app VM')}, "
            f"CPU {show.per_cent(known['cpu_load_fraction'])}, memory {show.per_cent(known['memory_load_fraction'])}, "
            f"{show.money(known['price_per_hour'])} per hour"
        )


def _numbers(evidence: Mapping[str, float | None]) -> Iterator[str]:
    if evidence:
        yield from show.wrapped(show.evidence(evidence), "    ")
