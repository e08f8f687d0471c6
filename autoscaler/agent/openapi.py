"""The API as an OpenAPI document: paths written here, bodies derived from the very types that check them."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, Ended, HostReport, StepReport, StepRequest

SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


def _shape(kind: Any) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin is UnionType:
        (one,) = (each for each in get_args(kind) if each is not NoneType)
        return {"oneOf": [_shape(one), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _shape(get_args(kind)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _shape(get_args(kind)[1])}
    if is_dataclass(kind):
        return {"$ref": f"#/components/schemas/{getattr(kind, '__name__', '')}"}
    return {"type": SCALARS[kind]}


def _schema(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    required = [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": {name: _shape(hint) for name, hint in hints.items()},
        "required": required,
    }


def _answer(schema: dict[str, Any] | None, media: str = "application/json") -> dict[str, Any]:
    content = {} if schema is None else {"content": {media: {"schema": schema}}}
    refused = {"description": "refused, and why", "content": {"application/json": {"schema": ERROR}}}
    return {"200" if schema is not None else "204": {"description": "done", **content}, "default": refused}


def _operation(
    summary: str, answer: dict[str, Any], *inputs: tuple[str, str], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}} for name, place in inputs
    ]
    return {
        "summary": summary,
        "responses": answer,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": body}} if body else {}),
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


RAW: dict[str, Any] = {"type": "string", "format": "binary"}

BYTES = {"application/octet-stream": {"schema": RAW}}
UUID, STEP, DIGEST = ("uuid", "path"), ("id", "path"), ("sha256", "path")
KEYS = {"type": "object", "properties": {name: {"type": "string"} for name in ("authority", "certificate", "key")}}
FENCED = {"type": "object", "properties": {"boot_id": {"type": "string"}}, "required": ["boot_id"]}
STEPS = _answer({"type": "array", "items": _shape(StepReport)})
FORGET = "Forget a step that has ended"

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "FlexCapsule agent", "version": "1", "description": "App VMs of one cloud VM. Mutual TLS."},
    "paths": {
        "/v1/host": {"get": _operation("The cloud VM and all app VMs on it", _answer(_shape(HostReport)))},
        "/v1/app-vms": {"get": _operation("All app VMs", _answer({"type": "array", "items": _shape(AppVMReport)}))},
        "/v1/app-vms/{uuid}": {"get": _operation("One app VM", _answer(_shape(AppVMReport)), UUID)},
        "/v1/app-vms/{uuid}/logs": {
            "get": _operation("Its console", _answer(RAW, "text/plain"), UUID, ("follow", "query"), ("tail", "query"))
        },
        "/v1/app-vms/{uuid}/wait": {
            "get": _operation("Answered when it has ended", _answer(_shape(AppVMReport)), UUID)
        },
        "/v1/app-vms/{uuid}/console": {"post": _operation("Type to its console", _answer(None), UUID, body=BYTES)},
        "/v1/steps": {"get": _operation("All steps remembered", STEPS, ("ended", "query"))},
        "/v1/steps/{id}": {
            "get": _operation("How far a step is", _answer(_shape(StepReport)), STEP),
            "put": _operation(
                "Carry out a step, once for ever", _answer(_shape(StepReport)), STEP, body=_json(_shape(StepRequest))
            ),
            "delete": _operation(FORGET, _answer(None), STEP),
        },
        "/v1/images": {"get": _operation("Sizes by digest", _answer({"type": "object"}))},
        "/v1/images/{sha256}": {
            "get": _operation("An image", _answer(RAW, "application/octet-stream"), DIGEST),
            "put": _operation("Keep an image", _answer(None), DIGEST, body=BYTES),
            "delete": _operation("Remove an image that nothing uses", _answer(None), DIGEST),
        },
        "/v1/keys": {"put": _operation("Replace keys", _answer({"type": "object"}), body=_json(KEYS))},
        "/v1/fenced/{peer}": {
            "put": _operation(
                "That boot of that cloud VM will never run again",
                _answer({"type": "object"}),
                ("peer", "path"),
                body=_json(FENCED),
            )
        },
        "/metrics": {"get": _operation("Figures for Prometheus", _answer(RAW, "text/plain"))},
    },
    "components": {
        "schemas": {
            kind.__name__: _schema(kind)
            for kind in (AppVMSpec, Ended, AppVMReport, HostReport, StepRequest, StepReport)
        }
    },
}
