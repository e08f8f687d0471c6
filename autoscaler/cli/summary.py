"""What a run came to, as one document: what `run --json` prints and what a person sees at the end of a run.

Counted by the engine, and by the cluster where it is a simulated one, since the journal began; nothing is measured here. Nothing in it depends
on the machine or the moment, so that the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from autoscaler.core.model import Action

if TYPE_CHECKING:
    from autoscaler.cli.assembly import Controller
    from autoscaler.cli.beside import Differences


def summary(controller: Controller, differences: Differences | None = None) -> dict[str, Any]:
    """`actions`: how often each of the six was carried out; `granted`, `denied`: how often each was decided so."""
    from autoscaler.telemetry.reports import time_text

    state, score = controller.engine.state, controller.score
    totals, policy = state.totals, state.policy
    document = {
        "policy": None if policy is None else {"name": policy.name, "digest": policy.digest},
        "mode": str(controller.mode),
        "from": time_text(controller.began_at),
        "until": time_text(controller.now),
        "actions": _by_action(totals.actions, "done"),
        "cost": totals.cost if score is None else score.cost,
        "demand_unserved_fraction": None if score is None else score.demand_unserved_fraction,
        "migrations": totals.migrations if score is None else score.migrations,
        "downtime_s": totals.downtime.sum_s if score is None else score.downtime_s,
        "decisions": totals.decisions,
        "abstained": totals.abstained,
        "granted": _by_action(totals.actions, "granted"),
        "denied": _by_action(totals.actions, "denied"),
        "denials": dict(sorted(totals.denials.items())),
        "not_carried_out": _not_carried_out(totals.actions),
        "steps": dict(sorted(totals.steps.items())),
        "alerts": totals.alerts,
        "stuck": sorted(state.stuck),
        "world": None if score is None else asdict(score),
    }
    if controller.comparison is not None and differences is not None:
        document["second_policy"] = differences.report(controller.comparison)
    return document


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The same for people, in a few lines."""
    from autoscaler.cli import show

    until = f"{show.moment(document['from'])} until {show.moment(document['until'])} UTC"
    yield f"from {until}: {show.counted(document['decisions'], 'decision')}"
    yield from show.wrapped(f"carried out: {_counts(document['actions'])}")
    yield from show.wrapped(f"denied: {_counts(document['denials'])}")
    if document["not_carried_out"]:
        yield from show.wrapped(f"granted and not carried out: {_counts(document['not_carried_out'])}")
    unserved = document["demand_unserved_fraction"]
    yield (
        f"cost {show.money(document['cost'])}, "
        f"{'' if unserved is None else f'{100 * unserved:.3f} % of demand unserved, '}"
        f"{show.counted(document['migrations'], 'migration')}, {document['downtime_s']:.2f} s of downtime"
    )
    if "second_policy" in document:
        second = document["second_policy"]
        failed = f"; it failed: {second['failed']}" if second["failed"] else ""
        alike = f"{second['agreed']} decisions alike, {second['differed']} different{failed}"
        yield f"second policy {second['policy']}: {alike}"
        if second["differed"]:
            yield from show.wrapped(f"only this policy: {_counts(second['only_first'])}", "    ")
            yield from show.wrapped(f"only the second: {_counts(second['only_second'])}", "    ")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing"


def _by_action(counts: Mapping[str, int], outcome: str) -> dict[str, int]:
    return {str(action): counts.get(f"{action} {outcome}", 0) for action in Action}


def _not_carried_out(counts: Mapping[str, int]) -> dict[str, int]:
    """Granted, and then failed, withheld, stuck or infeasible: "action outcome" -> count."""
    usual = ("done", "granted", "denied")
    return {key: count for key, count in sorted(counts.items()) if key.split(" ")[1] not in usual}
