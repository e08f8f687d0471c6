"""What is shipped beside the code says what the code does: schemas, tables, ready policies, and the examples in the pages."""

from __future__ import annotations

import json
import re
import runpy
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from autoscaler import registry
from autoscaler.config import config_schema, read_world, world_schema
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import PolicyChanged
from autoscaler.core.steps import Plan
from autoscaler.policylang import compile_condition, read_cluster, read_policy, schema
from autoscaler.policylang.conditions import names
from autoscaler.policylang.tree import parse, plain, read_source

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
TYPES = {name: registry.strategy_type(name) for name in registry.BUILT_IN}
SCHEMAS = {
    "policy": lambda: schema("policy", TYPES),
    "cluster": lambda: schema("cluster", TYPES),
    "config": config_schema,
    "world": world_schema,
}
READERS = {"policy": lambda file: read_policy(file, TYPES), "cluster": read_cluster, "world": read_world}
SHIPPED = sorted([*(ROOT / "policies").rglob("*.yaml"), ROOT / "config.example.yaml"])
HEADER = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def examples(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def kind_of(text: str) -> str:
    """The kind of document that an example's first line names."""
    header = HEADER.match(text)
    return Path(header[1]).stem if header else "policy"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_current(kind):
    """`make schema` writes them."""
    assert json.loads((DOCS / "schema" / f"{kind}.json").read_text(encoding="utf-8")) == SCHEMAS[kind]()


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_the_tables_are_current(page):
    """`make schema` writes them."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert runpy.run_path(str(DOCS / "tables.py"))["rendered"](text) == text


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_files_point_editors_at_their_schema_and_obey_it(file):
    header = HEADER.match(file.read_text(encoding="utf-8"))
    assert header, f"{file} does not begin with its yaml-language-server line"
    said = json.loads((file.parent / header[1]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(said)
    jsonschema.Draft202012Validator(said).validate(plain(parse(read_source(file))))


@pytest.mark.parametrize("page", ["policy.md", "cluster-file.md", "world-file.md"])
def test_examples_in_the_pages_can_be_read_and_obey_their_schema(page, tmp_path):
    assert examples(page)
    for text in examples(page):
        file = written(tmp_path, text)
        READERS[kind_of(text)](file)
        jsonschema.Draft202012Validator(SCHEMAS[kind_of(text)]()).validate(plain(parse(read_source(file))))


def test_the_schema_refuses_what_the_reader_refuses():
    """Not all of it (no schema knows CEL, time zones or how much a text like 110% is), but keys, words, units and types."""
    validator = jsonschema.Draft202012Validator(SCHEMAS["policy"]())
    missed = []
    for file in sorted((ROOT / "tests/malformed/policy").glob("*.yaml")):
        try:
            document = plain(parse(read_source(file)))
        except Exception:  # noqa: BLE001  what is no YAML of ours is no document
            continue
        if validator.is_valid(document):
            missed.append(file.stem)
    beyond = ("condition-", "time-zone", "window-", "duration-", "share-above-one", "strategy-parameter-range")
    assert [name for name in missed if not name.startswith(beyond)] == []


def planned(cluster: Path, policy: Path) -> tuple[Counter[str], list[str], list[str], Plan | None]:
    """Granted actions, denials as (guard, reason), kinds of steps."""
    engine = Engine(Toolbox(registry.build, compile_condition))
    observed = read_cluster(cluster)
    engine.handle(PolicyChanged(observed.at, read_policy(policy, TYPES), id="e1"))
    object.__setattr__(observed, "id", "e2")
    audit = engine.handle(observed)[0].audit
    granted = Counter(str(proposal.action) for proposal in audit.decision.granted)
    denials = [f"{denied.denials[0].guard}: {denied.denials[0].reason}" for denied in audit.decision.denied]
    return granted, denials, [step.action.kind for step in audit.plan.steps] if audit.plan else [], audit.plan


def test_the_cluster_pages_examples_come_to_what_the_page_says(tmp_path):
    emptied, pack, hopeless, serve = (written(tmp_path, text) for text in examples("cluster-file.md"))
    granted, denials, steps, plan = planned(emptied, pack)
    assert (granted, denials, steps) == ({"consolidate": 1}, [], ["cordon", "migrate", "release_cloud_vm"])
    assert (plan.steps[1].action.app_vm, plan.steps[1].action.target) == ("web-2", "cloud-1")
    granted, denials, steps, _ = planned(hopeless, serve)
    assert (granted, steps) == ({}, [])
    assert denials == ["feasible: no cloud VM has room for a replica of search and no size of the catalogue holds one"]


def test_the_policy_page_lists_every_name_of_conditions_and_every_ready_policy():
    page = (DOCS / "policy.md").read_text(encoding="utf-8")
    for name in (*names(), *(path.stem for path in (ROOT / "policies").glob("*.yaml"))):
        assert f"`{name}`" in page, f"docs/policy.md does not speak of {name}"
