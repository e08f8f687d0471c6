"""Guards over space: replicas within bounds, pins, anti-affinity, isolation of tenants, capacity by usage and by allocation, headroom."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.core.decision import Denial
from autoscaler.core.expand import clash, other_tenant
from autoscaler.core.guards.case import Case, at_most
from autoscaler.core.model import AppVM, CloudVMState

ROUNDING = 1e-9  # of a core or a byte: sums of floats may differ in the last digit


def replicas(case: Case) -> Denial | None:
    """A service keeps between its least and its most replicas."""
    if not case.action.changes_replicas:
        return None
    service = case.snapshot.services[case.snapshot.inventory.service_index[case.proposal.key]]
    now = case.view.replicas[service.id]
    after = now + len(case.effect.starts) - len(case.effect.stops)
    evidence = {"replicas": now, "min_replicas": service.min_replicas, "max_replicas": service.max_replicas}
    if after > service.max_replicas and after > now:
        return Denial(
            "replicas",
            f"{service.id} has {now} of at most {service.max_replicas} replicas",
            evidence,
            f"{service.id}.max_replicas >= {after}",
        )
    if after < service.min_replicas and after < now:
        return Denial(
            "replicas",
            f"{service.id} has {now} of at least {service.min_replicas} replicas",
            evidence,
            f"{service.id}.min_replicas <= {after}",
        )
    return None


def pinning(case: Case) -> Denial | None:
    """A pinned app VM stays where it is pinned."""
    for app_vm, target in _arriving(case):
        if app_vm.pinned_to not in ("", target):
            reason, because = f"{app_vm.id} is pinned to {app_vm.pinned_to}", app_vm.pinned_because
            if because:
                return Denial("pinning", f"{reason}: {because}")
            return Denial("pinning", reason, relax=f"{app_vm.id}.pinned_to = {target}")
    return None


def anti_affinity(case: Case) -> Denial | None:
    """No two app VMs that must stay apart meet on one cloud VM, those that arrive together included."""
    for app_vm, target, company in _meetings(case):
        other = clash(app_vm, company)
        if other is not None:
            return Denial(
                "anti_affinity",
                f"{app_vm.id} must stay apart from {other.id}, which would share {target}",
                relax=f"another cloud VM than {target}",
            )
    return None


def isolation(case: Case) -> Denial | None:
    """No two tenants (values of the label that the policy isolates by) meet on one cloud VM."""
    label = case.policy.limits.isolate
    if not label:
        return None
    for app_vm, target, company in _meetings(case):
        other = other_tenant(app_vm, company, label)
        if other is not None:
            mine, theirs = (
                f"{label} {one.label(label)!r}" if one.label(label) else f"no {label}" for one in (app_vm, other)
            )
            return Denial(
                "isolation",
                f"{app_vm.id} ({mine}) would share {target} with {other.id} ({theirs})",
                relax=f"another cloud VM than {target}",
            )
    return None


def capacity(case: Case) -> Denial | None:
    """After the effect no receiving cloud VM is over its memory, in use or allocated, nor over its CPU allocation."""
    after = case.after
    overcommit = case.policy.limits.cpu_overcommit
    for target in _targets(case):
        size, load = after.cloud_vm(target).size, after.load(target)
        if not after.usable(target):
            return Denial("capacity", f"{target} takes no app VMs: {_closed(case, target)}", relax="another cloud VM")
        checks = (
            ("memory allocated", "bytes", load.memory_allocated_bytes, size.memory_bytes),
            ("memory in use", "bytes", load.memory_used_bytes, size.memory_bytes),
            ("cores allocated", "cores", load.cpu_allocated, size.cores * overcommit),
        )
        for what, unit, wanted, offered in checks:
            if wanted > offered + ROUNDING:
                evidence = {"wanted": float(wanted), "offered": float(offered)}
                return Denial(
                    "capacity",
                    f"{target} would have {wanted:.6g} of {offered:.6g} {unit} ({what})",
                    evidence,
                    f"{wanted - offered:.6g} {unit} more on {target}",
                )
    return None


def headroom(case: Case) -> Denial | None:
    """A receiving cloud VM keeps its headroom. One created to relieve an overload may start above it: better than before."""
    after, limits = case.after, case.policy.limits
    created = {cloud_vm.id for cloud_vm in case.effect.creates}
    short: dict[str, tuple[float, float, str]] = {}  # resource -> the highest load, what is kept free of it, where
    for target in _targets(case):
        if target in created and not case.action.saves_money:
            continue
        size, load = after.cloud_vm(target).size, after.load(target)
        checks = (
            ("cpu", load.cpu_used / size.cores, limits.cpu_headroom_fraction),
            ("memory", load.memory_allocated_bytes / size.memory_bytes, limits.memory_headroom_fraction),
        )
        for what, share, kept in checks:
            if share > 1 - kept + ROUNDING and share > short.get(what, (0.0,))[0]:
                short[what] = (share, kept, target)
    if not short:
        return None
    reason = "; ".join(
        f"{target} would be at {share:.1%} of its {what}, {kept:.1%} is kept free"
        for what, (share, kept, target) in short.items()
    )
    share, kept, _ = next(iter(short.values()))
    relax = " and ".join(_less_headroom(what, share, target) for what, (share, _, target) in short.items())
    return Denial("headroom", reason, {"load_fraction": share, "headroom_fraction": kept}, relax)


def _less_headroom(what: str, load: float, target: str) -> str:
    return (
        f"limits.headroom.{what} <= {at_most(1 - load, 4)}"
        if load <= 1
        else f"a cloud VM with more {what} than {target}"
    )


def _closed(case: Case, target: str) -> str:
    """Why `target` takes nobody."""
    cloud_vm = case.after.cloud_vm(target)
    if case.after.released(target):
        return "about to be released"
    return (
        "a plan is working on it, or it is paused or stuck" if cloud_vm.state is CloudVMState.ACTIVE else cloud_vm.state
    )


def _meetings(case: Case) -> Iterable[tuple[AppVM, str, list[AppVM]]]:
    """Each that arrives, where, and whom it would meet there: who stays, who is on the way, who arrives with it."""
    view, arriving = case.view, list(_arriving(case))
    gone = {move.app_vm for move in case.effect.moves} | set(case.effect.stops)
    for position, (app_vm, target) in enumerate(arriving):
        staying = [a for a in view.neighbours(view.row_of[target]) if a.id not in gone] if target in view.row_of else []
        yield app_vm, target, staying + [other for other, where in arriving[:position] if where == target]


def _arriving(case: Case) -> Iterable[tuple[AppVM, str]]:
    index, app_vms = case.snapshot.inventory.app_row, case.snapshot.app_vms
    yield from ((arrival.app_vm, arrival.cloud_vm) for arrival in case.effect.starts)
    yield from ((app_vms[index[move.app_vm]], move.target) for move in case.effect.moves)


def _targets(case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target for _, target in _arriving(case)))
