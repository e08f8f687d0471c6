"""What is decided and done, as log lines for machines: each with the decision it belongs to and its entry in the journal.

A watcher of the loop; it changes nothing. `decision` is the one id from observation to action: the lines of d118, its record and
its steps in the journal, the exemplars in metrics all carry it. Reasons are those of the record; narrate.py is for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autoscaler.cli import logs
from autoscaler.core.audit import AuditRecord
from autoscaler.core.events import (
    Alert,
    Command,
    Event,
    Execute,
    Observed,
    OperatorSaid,
    Outcome,
    PolicyChanged,
    Record,
    StepEnded,
    Undo,
)
from autoscaler.telemetry.reports import decision_brief, time_text
from autoscaler.telemetry.trail import decision_of

MOST = 20  # wishes named in one line; the rest is counted, and on record


class Chronicle:
    """A decision that grants nothing is worth a line when it is not what the last one said."""

    def __init__(self) -> None:
        self._said: tuple[str, ...] = ()

    def __call__(self, now: float, event: Event, commands: list[Command]) -> None:
        del now
        for level, what, fields in (*self._event(event), *(self._command(command, event) for command in commands)):
            getattr(logs.log(), level)(what, at=time_text(event.at), **fields)

    def _event(self, event: Event) -> Iterator[tuple[str, str, dict[str, Any]]]:
        match event:
            case Observed():
                ages = event.at - event.sampled_at
                oldest_s = round(float(ages.max()), 3) if len(ages) else 0.0
                fields = {"entry": event.id, "app_vms": len(event.placement), "oldest_sample_s": oldest_s}
                yield "debug", "observed", fields
            case StepEnded():
                level = "warning" if event.outcome is Outcome.FAILED else "info"
                yield level, f"step {event.outcome}", {**_step(event.step), "entry": event.id, **_ended(event)}
            case PolicyChanged():
                yield "info", "policy changed", {"entry": event.id, "policy": event.policy.name}
            case OperatorSaid():
                fields = {"entry": event.id, "subject": event.subject, "who": event.who, "why": event.why}
                yield "info", f"operator said {event.word}", fields

    def _command(self, command: Command, event: Event) -> tuple[str, str, dict[str, Any]]:
        match command:
            case Record():
                return self._decided(command.audit, command.id)
            case Execute() | Undo():
                undoing = isinstance(command, Undo)
                action = command.action if isinstance(command, Undo) else command.step.action
                name = command.undo_id if isinstance(command, Undo) else command.step.id
                fields = {**_step(name), "entry": command.id, "kind": action.kind, "subject": action.subjects[0]}
                return "info", "undo begins" if undoing else "step begins", {**fields, "on": list(action.cloud_vms)}
            case Alert():
                about = {"decision": decision_of(event.step)} if isinstance(event, StepEnded) else {}
                return (
                    "error",
                    "alert",
                    {**about, "entry": command.id, "subject": command.subject, "reason": command.reason},
                )

    def _decided(self, audit: AuditRecord, entry: str) -> tuple[str, str, dict[str, Any]]:
        brief = decision_brief(audit)
        said = (brief.abstained, *brief.denied)
        worth_it = bool(brief.granted) or said != self._said
        self._said = said
        fields: dict[str, Any] = {"decision": brief.id, "entry": entry, "granted": _some(brief.granted)}
        fields |= {"denied": _some(brief.denied), "steps": brief.steps}
        if brief.abstained:
            fields["abstained"] = brief.abstained
        return "info" if worth_it else "debug", "decided", fields


def _step(name: str) -> dict[str, Any]:
    return {"decision": decision_of(name), "step": name}


def _ended(event: StepEnded) -> dict[str, Any]:
    """What there is to say of how it ended."""
    measured = {"total_s": event.total_s, "downtime_s": event.downtime_s, "sent_bytes": event.sent_bytes}
    told = {name: round(value, 3) for name, value in measured.items() if value}
    return {"reason": event.reason, **told} if event.reason else told


def _some(titles: Sequence[str]) -> list[str]:
    more = len(titles) - MOST
    return [*titles[:MOST], f"and {more} more"] if more > 0 else list(titles)
