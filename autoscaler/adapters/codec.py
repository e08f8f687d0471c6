"""Frozen dataclasses to JSON text and back, for the journal. The only module that knows cattrs; it knows no SQL.

The same value always gives the same text: `verify` compares texts. Fields keep their order, floats every digit; NaN and
infinities, which JSON lacks, are the strings that `float` reads. A short array is a list of values, readable with any JSON
tool; a long one is its bytes, regrouped (see `_packed`), compressed and in base64, under "packed": ten times smaller and
quicker than digits. Unions of dataclasses carry the class name under "type"; mappings whose keys are tuples are pairs.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import numpy as np
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from autoscaler.core import events, proposals, steps
from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray, frozen

TAG = "type"
ACTION: Any = steps.StepAction
READABLE_VALUES = 64  # arrays longer than this are packed
Entry = Union[events.Event, events.Command]  # noqa: UP007  cattrs wants a flat union at run time


def _packed(array: np.ndarray[Any, Any]) -> str:
    """First the first byte of all values, then the second, ...: neighbours in one column of measurements differ in few of
    their bytes, which zlib finds only when the like ones stand together (the shuffle filter of HDF5 and Blosc)."""
    flat = np.ascontiguousarray(array).reshape(-1)
    columns = flat.view(np.uint8).reshape(-1, flat.itemsize).T
    return base64.b64encode(zlib.compress(columns.tobytes(), 1)).decode("ascii")


def _unpacked(text: str, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    columns = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return np.ascontiguousarray(columns.reshape(dtype.itemsize, -1).T).reshape(-1).view(dtype)


def _encode_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    head = {"dtype": array.dtype.newbyteorder("<").str, "shape": list(array.shape)}
    if array.size > READABLE_VALUES:
        return {**head, "packed": _packed(array.astype(head["dtype"], copy=False))}
    return {**head, "values": array.ravel().tolist()}


def _decode_array(value: dict[str, Any], _: object = None) -> Any:
    dtype = np.dtype(value["dtype"])
    flat = _unpacked(value["packed"], dtype) if "packed" in value else _array(value["values"], dtype)
    return frozen(flat.reshape(value["shape"]))


def _array(values: list[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Strings among the values are numbers that JSON lacks."""
    if dtype.kind == "f":
        values = [float(value) for value in values]
    return np.array(values, dtype=dtype)


def _is_array(kind: Any) -> bool:
    return kind in (FloatArray, IntArray, BoolArray)


def _has_tuple_keys(kind: Any) -> bool:
    arguments = get_args(kind)
    return get_origin(kind) is Mapping and len(arguments) == 2 and get_origin(arguments[0]) is tuple


def _may_be_an_action(kind: Any) -> bool:
    """`StepAction | None`, which Python makes one flat union of, tagged only where it is a StepAction."""
    return set(get_args(kind)) == {*get_args(ACTION), type(None)}


def _pairs_of(mapping: Mapping[Any, Any]) -> list[list[Any]]:
    return [[converter.unstructure(key), converter.unstructure(value)] for key, value in mapping.items()]


def _mapping_of(pairs: list[list[Any]], kind: Any) -> dict[Any, Any]:
    key_type, value_type = get_args(kind)
    return {converter.structure(k, key_type): converter.structure(v, value_type) for k, v in pairs}


converter = make_converter(forbid_extra_keys=True)  # another version's word is not half understood
converter.register_unstructure_hook_func(_is_array, _encode_array)
converter.register_structure_hook_func(_is_array, _decode_array)
converter.register_unstructure_hook_func(_has_tuple_keys, _pairs_of)
converter.register_structure_hook_func(_has_tuple_keys, _mapping_of)
converter.register_unstructure_hook_func(
    _may_be_an_action, lambda value: None if value is None else converter.unstructure(value, ACTION)
)
converter.register_structure_hook_func(
    _may_be_an_action, lambda value, _: None if value is None else converter.structure(value, ACTION)
)
for _union in (proposals.Proposal, ACTION, Entry):  # last: it makes the code for all that is inside them
    configure_tagged_union(_union, converter, tag_name=TAG)


def dumps(value: Any, kind: Any) -> str:
    """`value` of type `kind` as JSON text."""
    return text(converter.unstructure(value, unstructure_as=kind))


def loads(text: str, kind: Any) -> Any:
    """The value of type `kind` that `dumps` wrote. Raises ValueError where it did not."""
    try:
        return converter.structure(tree(text), kind)
    except Exception as error:  # cattrs raises groups of many kinds, all meaning the same
        raise ValueError(f"not what this version writes: {error}") from error


def text(tree: Any) -> str:
    """A tree of plain values as JSON text."""
    try:
        return _text(tree)
    except ValueError:  # rare: a figure that is NaN or infinite
        return _text(_spelled(tree))


def tree(text: str) -> Any:
    """The plain values that `text` wrote."""
    return json.loads(text)


def _text(tree: Any) -> str:
    return json.dumps(tree, allow_nan=False, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """A strategy's evidence may hold numpy's numbers."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written to the journal")


def _spelled(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _spelled(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_spelled(value) for value in tree]
    if isinstance(tree, float) and not math.isfinite(tree):
        return repr(float(tree))
    return tree
