"""`flexcapsule status`: what the running controller believes, spends, does and waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.cli.options import AsJson, ConfigFile, Url

if TYPE_CHECKING:
    from autoscaler.telemetry.status import BesideReport, MigrationsReport, RegretReport, StatusReport

SHOWN = 40  # cloud VMs: about a screen


def status(config: ConfigFile = None, url: Url = None, json: AsJson = False) -> None:
    """Show what the running controller believes and spends, what it is doing, and what waits for a person.

    \b
    Examples:
      flexcapsule status
      flexcapsule status --json | jq .price_per_hour
    """
    from autoscaler.cli import remote, show
    from autoscaler.telemetry.status import StatusReport

    document = remote.controller(config, url).get("/api/v1/status")
    if json:
        show.print_json(document)
        return
    report = StatusReport.model_validate(document)
    show.print_lines(head(report))
    show.print_table(
        ("cloud VM", "size", "state", ">price/h", ">app VMs", ">CPU", ">memory"),
        (
            (
                c.id,
                c.size,
                c.state,
                show.money(c.price_per_hour),
                str(c.app_vms),
                show.per_cent(c.cpu_load_fraction),
                show.per_cent(c.memory_load_fraction),
            )
            for c in report.cloud_vms[:SHOWN]
        ),
    )
    if len(report.cloud_vms) > SHOWN:
        print(f"... and {show.counted(len(report.cloud_vms) - SHOWN, 'cloud VM')} more; --json has all")
    print()
    show.print_table(
        ("service", ">replicas", ">allowed", ">CPU"),
        (
            (s.id, str(s.replicas), f"{s.min_replicas} to {s.max_replicas}", show.per_cent(s.cpu_load_fraction))
            for s in report.services
        ),
    )
    show.print_lines(attention(report))


def head(report: StatusReport) -> Iterator[str]:
    """The cluster in a few lines."""
    from autoscaler.cli import show

    policy = report.policy
    yield f"{show.moment(report.at)} UTC, " + (
        f"policy {policy.name} ({policy.strategy}), {policy.mode}" if policy else "no policy"
    )
    yield (
        f"{show.counted(len(report.cloud_vms), 'cloud VM')}, {show.counted(report.app_vms, 'app VM')}, CPU {show.per_cent(report.cpu_load_fraction)}, "
        f"memory {show.per_cent(report.memory_load_fraction)}"
    )
    unserved = report.demand_unserved_fraction
    yield f"{show.money(report.price_per_hour)} per hour, {show.money(report.cost)} so far" + (
        "" if unserved is None else f", {100 * unserved:.3f} % of demand unserved"
    )
    if report.regret is not None:
        yield regret(report.regret)
    last = report.last
    if last is not None:
        yield f"last decision {last.id}: {last.abstained or f'{len(last.granted)} granted, {len(last.denied)} denied'}"
    if report.migrations.measured:
        yield migrations(report.migrations)
    yield ""


def migrations(measured: MigrationsReport) -> str:
    """How the newest migrations compare with the model, which is how the next ones are predicted."""
    from autoscaler.cli import show

    return (
        f"migrations take {measured.total_ratio:.2f} times as long as the model says and pause {measured.downtime_ratio:.2f} times as "
        f"long ({show.counted(measured.measured, 'migration')} measured); plans reckon with that"
    )


def regret(hour: RegretReport) -> str:
    """What hindsight says of the newest whole hour."""
    from autoscaler.cli import show

    lost = "" if hour.lost_fraction is None else f", {100 * hour.lost_fraction:.3f} % of its demand lost"
    paid, least = show.money(hour.paid), show.money(hour.least)
    return f"the hour from {hour.begins_at[11:16]}: {paid} paid; a clairvoyant would have paid {least} or more{lost}"


def attention(report: StatusReport) -> Iterator[str]:
    """Plans in flight, and what waits for people."""
    if report.plans or report.paused or report.stuck or report.second_policy:
        yield ""
    for plan in report.plans:
        doing = f": {', '.join(plan.running)}" if plan.running else ""
        yield f"plan {plan.id}: {plan.done} of {plan.steps} steps done{doing}" + (
            f"; abandoned: {plan.abandoned}" if plan.abandoned else ""
        )
    for held in report.paused:
        yield f"paused: {held.subject or 'the whole cluster'}" + (f" ({held.why})" if held.why else "")
    for held in report.stuck:
        yield f"STUCK: {held.subject}: {held.why}; repair it, then `flexcapsule resume {held.subject}`"
    if report.second_policy is not None:
        yield from second(report.second_policy)


def second(beside: BesideReport) -> Iterator[str]:
    """A policy that decides beside the first."""
    from autoscaler.cli import show

    yield f"second policy {beside.policy}: {beside.agreed} decisions alike, {beside.differed} different" + (
        f"; it failed: {beside.failed}" if beside.failed else ""
    )
    if beside.last_at is not None:
        yield f"    newest difference at {show.moment(beside.last_at)} UTC:"
        yield from show.wrapped(f"only this policy: {', '.join(beside.only_first) or 'nothing'}", "    ")
        yield from show.wrapped(f"only the second: {', '.join(beside.only_second) or 'nothing'}", "    ")
