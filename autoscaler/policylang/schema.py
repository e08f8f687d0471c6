"""JSON Schema of documents, for editors: made from the same forms that read them, so that the two cannot disagree."""

from __future__ import annotations

from typing import Any

from autoscaler.policylang.forms import Form

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document_schema(form: type[Form], kind: str) -> dict[str, Any]:
    """The schema of documents that `form` reads."""
    described = form.model_json_schema(by_alias=True)
    described.pop("title", None)
    return {"$schema": DIALECT, "title": f"FlexCapsule {kind}", **described}
