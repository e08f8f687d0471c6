"""YAML text to trees: YAML 1.2 scalars, positions, limits. The refusals stand in tests/malformed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.errors import PolicyError
from autoscaler.policylang.tree import Source, parse, plain, read_source


def refusal(source: Source) -> str:
    """Why the text is refused; empty where it is not."""
    try:
        parse(source)
    except PolicyError as error:
        return str(error)
    return ""


def tree(text: str):
    return plain(parse(Source("f.yaml", text)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("22:00", "22:00"),
        ("1:30:00", "1:30:00"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-01-05", "2026-01-05"),
        (".inf", ".inf"),
        ("=", "="),
        ("017", 17),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("~", None),
        ("'true'", "true"),
        ('"3"', "3"),
        ("|\n  3\n", "3\n"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    read = tree(f"key: {text}")["key"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_texts():
    assert tree("on: 1\ntrue: 2\n3: 4\n") == {"on": 1, "true": 2, "3": 4}


def test_every_value_knows_where_it_stands():
    root = parse(Source("f.yaml", "a: 1\nb:\n  - x\n  - {c: 'y'}\n"))
    key, value = root.value["b"]
    assert (key.line, key.column) == (2, 1)
    inner = value.value[1].value["c"][1]
    assert (inner.line, inner.column, inner.style) == (4, 9, "'")


def test_aliases_are_the_same_value_and_count_each_time():
    root = parse(Source("f.yaml", "a: &x [1, 2]\nb: *x\n"))
    assert plain(root) == {"a": [1, 2], "b": [1, 2]}
    assert root.size == 1 + 2 + 3 + 3  # the mapping, two keys, two lists of two


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_source(file).text == "name: x\n"


def test_the_digest_changes_with_the_content_only():
    assert Source("a", "x").digest == Source("b", "x").digest != Source("a", "y").digest


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:- \n\t{}[],&*!|>'\"#%@`?~é\0\x85"), max_size=60))
def test_no_text_gets_past_with_anything_but_a_tree_or_one_line(text):
    assert len(refusal(Source("f.yaml", text)).splitlines()) <= 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_get_past_with_anything_but_a_tree_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("bytes") / "f.yaml"
    file.write_bytes(content)
    try:
        source = read_source(file)
    except PolicyError:
        return
    assert len(refusal(source).splitlines()) <= 1
