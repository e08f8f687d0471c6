"""`flexcapsule plan`: one decision, shown and not carried out: for a cluster in a file, or for the running controller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import AsJson, ConfigFile, PolicyName, Url
from autoscaler.errors import UsageError

if TYPE_CHECKING:
    from autoscaler.telemetry.reports import PlanPreview

ClusterFile = Annotated[
    Path | None, typer.Option("--cluster", metavar="FILE", help="A cluster written down (docs/cluster-file.md).")
]

Certify = Annotated[
    bool,
    typer.Option(
        "--certify", help="Have plan, packing and bound verified by checkers that share no code with the planner."
    ),
]


def plan(
    cluster: ClusterFile = None,
    policy: PolicyName = None,
    config: ConfigFile = None,
    url: Url = None,
    certify: Certify = False,
    json: AsJson = False,
) -> None:
    """Show one decision with its steps, and carry out nothing.

    With --cluster, on the cluster in a file: as if it had been like that for as long as any stabilization window of the
    policy asks. Without, on what the running controller knows now, by its own policy.

    \b
    Examples:
      flexcapsule plan --cluster cluster.yaml --policy balanced
      flexcapsule plan --json | jq .objective
      flexcapsule plan --cluster cluster.yaml --policy cheapest --certify
      flexcapsule plan --certify
    """
    from autoscaler.cli import show

    if cluster is None and policy is not None:
        raise UsageError("--policy needs --cluster FILE; a running controller plans by its own policy")
    if cluster is None:
        preview = _asked(config, url, certify=certify)
    else:
        preview = of_file(cluster, policy, config, certify=certify)
    if json:
        show.print_json(preview)
    else:
        show.print_lines(lines(preview))


def of_file(cluster: Path, policy: str | None, config: Path | None, *, certify: bool = False) -> PlanPreview:
    """One decision on the cluster in a file. Raises PolicyError."""
    from autoscaler import policylang
    from autoscaler.cli.loading import TOOLBOX, load_policy
    from autoscaler.config import read_config, resolve_policy
    from autoscaler.core.history import History
    from autoscaler.core.state import EngineState
    from autoscaler.telemetry.preview import preview

    chosen = load_policy(Path(read_config(config).policy) if policy is None else resolve_policy(policy))
    observed = policylang.read_cluster(cluster)
    history = History(chosen.window_samples).extend(observed)
    state = EngineState(policy=chosen, history=history)
    shown = preview(state, TOOLBOX, settled=True)
    if not certify:
        return shown
    from autoscaler.cli.certify import certified

    return shown.model_copy(update={"certified": certified(state)})


def lines(preview: PlanPreview) -> list[str]:
    """The decision and what it would change."""
    from autoscaler.cli import render, show

    objective = preview.objective
    before, after = objective.price_per_hour_before, objective.price_per_hour_after
    moves = show.counted(objective.migrations, "migration")
    certificate: list[str] = []
    if preview.certified is not None:
        from autoscaler.cli import certify

        certificate = [*certify.lines(preview.certified)]
    return [
        *render.decision(preview.decision, title="what would be decided"),
        "",
        f"price per hour: {show.money(before)} now, {show.money(after)} after; {moves}",
        *certificate,
    ]


def _asked(config: Path | None, url: str | None, *, certify: bool) -> PlanPreview:
    from autoscaler.cli import remote
    from autoscaler.telemetry.reports import PlanPreview

    if certify:
        from autoscaler.cli.certify import of_running

        shown, verdict = of_running(remote.controller(config, url).get("/api/v1/state"))
        return shown.model_copy(update={"certified": verdict})
    return PlanPreview.model_validate(remote.controller(config, url).get("/api/v1/plan"))
