"""Write the reference tables in docs/*.md anew from docs/schema/*.json, between their markers. `make schema` runs it.

A marker is `<!-- table: KIND DEFINITION -->` (or only KIND, for the document itself), or `<!-- tables: KIND PREFIX -->` for all
definitions that begin so, with headings. What is written ends at `<!-- end -->`.
"""  # noqa: INP001  a script beside the pages it writes

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MARKED = re.compile(r"(<!-- tables?: (\S+)(?: (\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {
    "%$": "share",
    "ms|s|m": "duration",
    "bit/s": "rate",
    "KiB": "memory",
    "real|max": "pace",
    "mon|tue": "day",
    ":[0-9]": "time of day",
}


def rendered(page: str) -> str:
    """The page with its tables as the schemas have them."""
    return MARKED.sub(lambda found: found[1] + _written(found) + found[4], page)


def _written(found: re.Match[str]) -> str:
    schema = json.loads((DOCS / "schema" / f"{found[2]}.json").read_text(encoding="utf-8"))
    if found[0].startswith("<!-- table:"):
        return _table(schema["$defs"][found[3]] if found[3] else schema)
    named = {name: told for name, told in schema["$defs"].items() if name.startswith(found[3])}
    return "\n".join(f"\n### {name}\n\n{told['description']}\n\n{_table(told)}" for name, told in named.items())


def _table(definition: dict[str, Any]) -> str:
    required = definition.get("required", ())
    rows = [_row(key, told, key in required) for key, told in definition["properties"].items()]
    return "\n".join(["| key | value | default | what it is |", "|---|---|---|---|", *rows]) + "\n"


def _row(key: str, told: dict[str, Any], required: bool) -> str:
    default = "required" if required else _default(told)
    return f"| `{key}` | {_value(told)} | {default} | {told.get('description', '')} |"


def _default(told: dict[str, Any]) -> str:
    value = told.get("default")
    if value in (None, [], {}, ""):
        return "none" if "default" in told else "see there"
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def _value(told: dict[str, Any]) -> str:
    if "$ref" in told:
        return _linked(told["$ref"])
    if "const" in told:
        return "" if told["const"] == 0 else f"`{told['const']}`"
    if "enum" in told:
        return " ".join(f"`{word}`" for word in told["enum"] if word is not None)
    for group in ("anyOf", "oneOf"):
        if group in told:
            parts = dict.fromkeys(part for part in map(_value, told[group]) if part)
            return " or ".join(parts)
    return _plain(told)


def _plain(told: dict[str, Any]) -> str:
    kind = told.get("type", "anything")
    if kind == "array":
        return f"list of {_value(told['items'])}"
    if kind == "object":
        return "mapping"
    pattern = told.get("pattern", "")
    word = next((word for mark, word in WORDS.items() if mark in pattern), None)
    if word is not None:
        return word
    bounds = _bounds(told)
    return {"integer": "whole number", "string": "text", "null": ""}.get(kind, kind) + bounds


def _bounds(told: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {told[key]:.12g}" for key, sign in signs.items() if key in told]
    return f" ({', '.join(found)})" if found else ""


def _linked(reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    if name.startswith("strategy_"):
        return f"[{name.removeprefix('strategy_')}](#{name})"
    return f"[{name.removesuffix('Form')}](#{name.removesuffix('Form').lower()})"


if __name__ == "__main__":
    for file in sorted(DOCS.glob("*.md")):
        page = file.read_text(encoding="utf-8")
        if rendered(page) != page:
            file.write_text(rendered(page), encoding="utf-8")
            sys.stdout.write(f"{file.name} written\n")
