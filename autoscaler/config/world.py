"""World files: a simulated cluster written down. `example` is built in. The form is made from sim/scenario's values.

What must fit together is checked here: sizes, places and partners that are named must be there, and everything must find a
place at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from autoscaler.config.world_terms import BOUNDS, DOCS, KEYS
from autoscaler.errors import UsageError
from autoscaler.policylang.calendar import Instant
from autoscaler.policylang.forms import fill
from autoscaler.policylang.records import Record, Recorder
from autoscaler.policylang.references import Misfit, cluster_misfits, refuse_misfits, unknown
from autoscaler.policylang.schema import document_schema
from autoscaler.policylang.tree import MIB, Node, Source, brief, parse, read_source
from autoscaler.sim.example import example_scenario
from autoscaler.sim.founding import demand_of, found
from autoscaler.sim.scenario import Scenario

WORLDS: Mapping[str, Callable[[], Scenario]] = {"example": example_scenario}
WORLD_BYTES, WORLD_NODES = 8 * MIB, 500_000  # 10,000 app VMs written out: about 2 MiB, 250,000 nodes


def read_world(name: Path | str) -> Scenario:
    """The world of that name (`example`) or in that file. Raises PolicyError."""
    if str(name) in WORLDS:
        return WORLDS[str(name)]()
    source = read_source(name, WORLD_BYTES, f"expected a world file, or one of {', '.join(WORLDS)}")
    root = parse(source, WORLD_NODES)
    scenario: Scenario = fill(world_form(), source, root).value()
    check_world(scenario, source, root)
    return scenario


@cache
def world_form() -> type[Record]:
    """The form of a world file."""
    return Recorder(
        keys=KEYS,
        annotations={"start_at": Instant},
        bounds=BOUNDS,
        docs=DOCS,
        shown={"start_at": "2026-01-05T00:00:00Z"},
    ).form(Scenario, "World")


def world_schema() -> dict[str, Any]:
    """JSON Schema of a world file."""
    return document_schema(world_form(), "world")


def check_world(scenario: Scenario, source: Source, root: Node) -> None:
    """Raises PolicyError where the parts of a world do not fit together; `root`: where the world stands in `source`."""
    refuse_misfits(_misfits(scenario), source, root)
    try:
        found(scenario, demand_of(scenario).subjects)
    except UsageError as error:
        raise source.error(str(error), root.line, root.column) from None


def _misfits(scenario: Scenario) -> Iterator[Misfit]:
    clouds = dict.fromkeys(cloud_vm.id for cloud_vm in scenario.cloud_vms)
    yield from cluster_misfits(scenario)
    for row, service in enumerate(scenario.services):
        for number, on in enumerate(service.on):
            yield from unknown(("services", row, "on", number), "cloud VM", clouds, on)
    for row, app_vm in enumerate(scenario.app_vms):
        yield from unknown(("app_vms", row, "on"), "cloud VM", clouds, app_vm.on or None)
        yield from unknown(("app_vms", row, "pinned_to"), "cloud VM", clouds, app_vm.pinned_to or None)
    replicas = {f"{service.id}-{number + 1}" for service in scenario.services for number in range(service.replicas)}
    for row, app_vm in enumerate(scenario.app_vms):
        if app_vm.id in replicas:
            yield ("app_vms", row, "id"), f"{brief(app_vm.id)} is a replica of a service already; expected another id"
