"""JSON Schema of documents, for editors: made from the same forms that read them, so that the two cannot disagree."""

from __future__ import annotations

from typing import Any

from autoscaler.policylang.forms import Form

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document_schema(form: type[Form], kind: str) -> dict[str, Any]:
    """The schema of documents that `form` reads."""
    described = _untitled(form.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, "title": f"FlexCapsule {kind}", **described}


def _untitled(schema: Any, *, named: bool = False) -> Any:
    """Without the titles that pydantic makes of names; `named`: the keys of this mapping are names, not keywords."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = ("properties", "$defs")
    return {
        key: value if key == "default" else _untitled(value, named=key in inner and not named)
        for key, value in schema.items()
        if named or key != "title"
    }
