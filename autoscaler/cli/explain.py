"""`flexcapsule explain`: why, and why not, from the journal; works beside a running controller and after it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoscaler.cli.options import AsJson, ConfigFile, JournalPlace
from autoscaler.errors import UsageError

if TYPE_CHECKING:
    from autoscaler.adapters.decisions import JournalReader
    from autoscaler.core.audit import AuditRecord
    from autoscaler.telemetry.reports import DecisionReport, ExpectedReport


def explain(
    decision: Annotated[
        str | None, typer.Argument(metavar="DECISION", help="Its id, or that of its plan or a step.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The newest decision (also without any argument).")] = False,
    app_vm: Annotated[
        str | None,
        typer.Option("--app-vm", "--about", metavar="ID", help="Decisions about an app VM, service or cloud VM."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="With --app-vm: how many, newest first.")] = 5,
    config: ConfigFile = None,
    journal: JournalPlace = None,
    json: AsJson = False,
) -> None:
    """Say why something was done, and why something was not: the guard, its number, the smallest change that would have
    let it pass, and when it passes by itself.

    \b
    Examples:
      flexcapsule explain --last
      flexcapsule explain d118
      flexcapsule explain --app-vm web-3
    """
    from autoscaler.cli import show

    if sum((decision is not None, last, app_vm is not None)) > 1:
        raise UsageError("explain takes one of DECISION, --last, --app-vm ID")
    reader = _reader(config, journal)
    if app_vm is not None:
        found = [_told(reader, audit, app_vm) for audit in reader.decisions_about(app_vm, limit)]
        if json:
            show.print_json(found)
        else:
            show.print_lines(_about(found, app_vm))
        return
    audit = reader.last_decision() if decision is None else reader.decision(_decision(decision))
    if audit is None:
        raise UsageError(f"there is no decision in the journal {reader.path} yet")
    told = _told(reader, audit)
    if json:
        show.print_json(told)
    else:
        show.print_lines(_lines(told))


def _decision(id_: str) -> str:
    """The decision that an observation, plan or step belongs to, as logs and metrics name them: d118 of e118, p118.s3 or 118."""
    from autoscaler.telemetry.trail import number_of

    number = number_of(id_)
    return id_ if number is None else f"d{number}"


def _reader(config: Path | None, journal: Path | None) -> JournalReader:
    from autoscaler.adapters.decisions import JournalReader
    from autoscaler.cli.assembly import journal_file
    from autoscaler.config import read_config

    return JournalReader(journal_file(Path(read_config(config).journal.directory) if journal is None else journal))


def _told(reader: JournalReader, audit: AuditRecord, about: str | None = None) -> dict[str, Any]:
    """The decision (only what concerns `about`, if given) and how the steps of its plan ended."""
    from autoscaler.telemetry.reports import decision_report

    report = decision_report(audit)
    if about is not None:
        report = _only(report, audit, about)
    outcomes = [
        {
            "step": ended.step,
            "outcome": str(ended.outcome),
            "reason": ended.reason,
            "total_s": ended.total_s,
            "downtime_s": ended.downtime_s,
            "sent_bytes": ended.sent_bytes,
            "phases": dict(ended.phases),
        }
        for ended in reader.outcomes(audit.decision.id)
    ]
    return {"decision": report.model_dump(mode="json"), "outcomes": outcomes}


def _only(report: DecisionReport, audit: AuditRecord, about: str) -> DecisionReport:
    """What is about it by name; where only the plan's steps are (it moves because its cloud VM goes), all that was granted."""
    wishes = zip(report.granted, audit.decision.granted, strict=True)
    vetoes = zip(report.denied, audit.decision.denied, strict=True)
    granted = [shown for shown, wish in wishes if about in wish.subjects]
    denied = [shown for shown, veto in vetoes if about in veto.proposal.subjects]
    return report.model_copy(update={"granted": granted if granted or denied else report.granted, "denied": denied})


def _lines(told: dict[str, Any]) -> Iterator[str]:
    from autoscaler.cli import render
    from autoscaler.telemetry.reports import DecisionReport

    report = DecisionReport.model_validate(told["decision"])
    expected = {} if report.plan is None else {step.id: step.expects for step in report.plan.steps}
    outcomes = {ended["step"]: _outcome(ended, expected.get(ended["step"])) for ended in told["outcomes"]}
    yield from render.decision(report, outcomes=outcomes)


def _about(found: list[dict[str, Any]], about: str) -> Iterator[str]:
    if not found:
        yield f"no decision in the journal is about {about}:"
        yield "no strategy has wished for anything there, and no plan has touched it"
    for number, told in enumerate(found):
        if number:
            yield ""
        yield from _lines(told)


def _outcome(ended: dict[str, Any], expected: ExpectedReport | None) -> str:
    text = str(ended["outcome"])
    if ended["total_s"]:
        text += f" in {ended['total_s']:.1f} s" + (f" (expected {expected.total_s:.1f} s)" if expected else "")
    if ended["downtime_s"]:
        text += f", paused for {ended['downtime_s']:.2f} s"
        text += f" (expected {expected.downtime_s:.2f} s)" if expected else ""
    return text + (f": {ended['reason']}" if ended["reason"] else "")
