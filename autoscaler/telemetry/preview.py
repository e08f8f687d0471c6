"""What would be decided now: the engine's own code on a copy of its state, in anybody's thread. Nothing is remembered.

Separate from the engine because the engine belongs to the loop's thread; a view's parts never change, so a second engine
over them sees one consistent moment.
"""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core.audit import AuditRecord, figures
from autoscaler.core.decide import Judged
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.state import EngineState
from autoscaler.core.steps import CreateCloudVM, Migrate, Plan, ReleaseCloudVM
from autoscaler.core.totals import Totals
from autoscaler.telemetry.reports import Objective, PlanPreview, decision_report

LONG_AGO = float("-inf")


def preview(state: EngineState, toolbox: Toolbox, *, settled: bool = False) -> PlanPreview:
    """One decision on `state`. `settled`: as if every wish had lasted as long as any stabilization window asks."""
    judged, snapshot, plan = planned(state, toolbox, settled=settled)
    audit = AuditRecord(judged.decision, plan, figures(snapshot), alternatives=judged.alternatives)
    return PlanPreview(decision=decision_report(audit), objective=objective(snapshot, plan))


def planned(state: EngineState, toolbox: Toolbox, *, settled: bool = False) -> tuple[Judged, Snapshot, Plan | None]:
    """The decision behind a preview, what it was made on, and its plan (None: nothing was granted)."""
    engine = Engine(toolbox, replace(state, totals=Totals()))
    judged, snapshot = engine.wish(), engine.snapshot()
    if settled and judged.wanted_since:
        engine.state.ledger = engine.state.ledger.wanting(dict.fromkeys(judged.wanted_since, LONG_AGO))
        judged = engine.wish()
    return judged, snapshot, engine.plan(judged, snapshot)[0]


def objective(snapshot: Snapshot, plan: Plan | None) -> Objective:
    """Money per hour before and after the steps of `plan`, and how many app VMs move for it."""
    before = snapshot.inventory.price_per_hour
    actions = [step.action for step in plan.steps] if plan else []
    price = {cloud_vm.id: cloud_vm.size.price_per_hour for cloud_vm in snapshot.cloud_vms}
    created = {a.cloud_vm: a.size.price_per_hour for a in actions if isinstance(a, CreateCloudVM)}
    released = [a.cloud_vm for a in actions if isinstance(a, ReleaseCloudVM)]
    saved = sum((created | price)[cloud_vm] for cloud_vm in released)
    return Objective(
        price_per_hour_before=before,
        price_per_hour_after=before + sum(created.values()) - saved,
        migrations=sum(isinstance(action, Migrate) for action in actions),
    )
