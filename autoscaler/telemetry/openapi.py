"""The OpenAPI document, made from the table of endpoints and the report types, so that it cannot tell another story.

Separate from http.py because it speaks of shapes only and serves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REFERENCE = "#/components/schemas/{model}"
PROBLEM = "application/problem+json"
Parameters = dict[str, tuple[str, dict[str, Any], str]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path as its caller sees it. `answer` None: plain text. `parameters`: name -> (where, schema, text)."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None = None
    takes: type[BaseModel] | None = None
    status: int = 200
    problems: tuple[int, ...] = ()
    parameters: Parameters = field(default_factory=dict)

    @property
    def secured(self) -> bool:
        return self.method != "get"


def document(operations: Sequence[Operation], problem: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI 3.1 for `operations`; `problem` is the shape of every error."""
    models = {m for operation in operations for m in (operation.answer, operation.takes) if m is not None}
    pairs = [(model, "validation") for model in sorted(models | {problem}, key=lambda m: m.__name__)]
    _, schemas = models_json_schema(pairs, ref_template=REFERENCE)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, problem)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FlexCapsule controller",
            "version": version("flexcapsule"),
            "description": "What the controller believes, decided and would decide; and pausing it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, problem: type[BaseModel]) -> dict[str, Any]:
    kind = "text/plain" if operation.answer is None else "application/json"
    schema = {"type": "string"} if operation.answer is None else _reference(operation.answer)
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method}_{operation.path.strip('/').replace('/', '_')}".translate(
            str.maketrans("", "", "{}.")
        ),
        "responses": {
            str(operation.status): {"description": operation.summary, "content": {kind: {"schema": schema}}},
            **{str(code): _problem(problem) for code in operation.problems},
        },
    }
    if operation.parameters:
        described["parameters"] = [
            {"name": name, "in": where, "required": where == "path", "schema": schema, "description": text}
            for name, (where, schema, text) in operation.parameters.items()
        ]
    if operation.takes is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.takes)}},
        }
    if operation.secured:
        described["security"] = [{"token": []}]
    return described


def _problem(problem: type[BaseModel]) -> dict[str, Any]:
    return {"description": "a problem, with what to do about it", "content": {PROBLEM: {"schema": _reference(problem)}}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}
