"""Frozen dataclasses to JSON text and back, for the journal. The only module that knows cattrs; it knows no SQL.

Arrays become {"dtype", "shape", "values"} with NaN as null, so that an entry is readable with any JSON tool; floats keep
every digit. Unions of dataclasses carry the class name under "type".
"""

from __future__ import annotations

import json
import math
from typing import Any, Union

import numpy as np
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from autoscaler.core import events, proposals, steps
from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray, frozen

TAG = "type"
Entry = Union[events.Event, events.Command]  # noqa: UP007  cattrs wants a flat union at run time


def _encode_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    flat = array.ravel().tolist()
    values = [None if isinstance(v, float) and math.isnan(v) else v for v in flat]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def _decode_array(value: dict[str, Any], _: object = None) -> Any:
    values = [math.nan if v is None else v for v in value["values"]]
    return frozen(np.array(values, dtype=value["dtype"]).reshape(value["shape"]))


def _pairs(mapping: dict[Any, Any]) -> list[list[Any]]:
    return [[list(key) if isinstance(key, tuple) else key, value] for key, value in mapping.items()]


converter = make_converter()
for _array in (FloatArray, IntArray, BoolArray):
    converter.register_unstructure_hook(_array, _encode_array)
    converter.register_structure_hook(_array, _decode_array)
for _union in (proposals.Proposal, steps.StepAction, Entry):
    configure_tagged_union(_union, converter, tag_name=TAG)


def dumps(value: Any, kind: Any) -> str:
    """`value` of type `kind` as JSON text, keys in field order."""
    return json.dumps(converter.unstructure(value, unstructure_as=kind), allow_nan=False, separators=(",", ":"))


def loads(text: str, kind: Any) -> Any:
    """The value of type `kind` that `dumps` wrote."""
    return converter.structure(json.loads(text), kind)
