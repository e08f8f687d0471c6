"""Valid documents with one part exchanged for something else: a document again, or one line; never another exception."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler import registry
from autoscaler.config import read_config, read_world
from autoscaler.errors import PolicyError
from autoscaler.policylang import read_cluster, read_policy
from autoscaler.policylang.tree import parse, plain, read_source

ROOT = Path(__file__).parents[3]
SEEDS = {
    "policy": (ROOT / "policies/night-consolidation.yaml", lambda file: read_policy(file, registry.strategy_types())),
    "config": (ROOT / "config.example.yaml", read_config),
    "cluster": (None, read_cluster),
    "world": (None, read_world),
}
PAGES = {"cluster": "cluster-file.md", "world": "world-file.md"}
ODD = st.one_of(
    st.sampled_from(
        [None, True, 0, -1, 1, 1e300, float("nan"), float("inf"), "", "none", "5m", "80%", "1GiB", "all", [], {}, [[]]]
    ),
    st.text(max_size=8),
    st.integers(),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(
        st.sampled_from(["name", "id", "actions", "when", "k", "cpu", "x"]), st.text(max_size=4), max_size=3
    ),
)


def seed(kind: str) -> object:
    source, _ = SEEDS[kind]
    if source is not None:
        return plain(parse(read_source(source)))
    page = (ROOT / "docs" / PAGES[kind]).read_text(encoding="utf-8")
    return yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])


def places(document: object, path: tuple = ()) -> list[tuple]:
    """The path of every part of a document, its keys included (as a path that ends with a one-element tuple)."""
    found = [path]
    if isinstance(document, dict):
        for key, value in document.items():
            found += [(*path, (key,)), *places(value, (*path, key))]
    elif isinstance(document, list):
        for row, value in enumerate(document):
            found += places(value, (*path, row))
    return found


def exchanged(document, path: tuple, odd):
    """A copy of the document with the part at `path` exchanged."""
    if not path:
        return odd
    step, rest = path[0], path[1:]
    if isinstance(step, tuple):
        return {(str(odd) if key == step[0] else key): value for key, value in document.items()}
    if isinstance(document, dict):
        return {key: exchanged(value, rest, odd) if key == step else value for key, value in document.items()}
    return [exchanged(value, rest, odd) if row == step else value for row, value in enumerate(document)]


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_document_or_one_line(kind, tmp_path_factory, data):
    document = seed(kind)
    changed = exchanged(document, data.draw(st.sampled_from(places(document))), data.draw(ODD))
    file = tmp_path_factory.mktemp(kind) / "f.yaml"
    file.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    try:
        SEEDS[kind][1](file)
    except PolicyError as error:
        line = str(error)
    else:
        return
    assert line.startswith(f"{file}:")
    assert "\n" not in line
