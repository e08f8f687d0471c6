"""JSON to frozen dataclasses and back, with errors that name the field. Separate because the agent may use the standard
library only, and because descriptions.py should say what is exchanged, not how it is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from autoscaler.errors import UsageError

T = TypeVar("T")
WHOLE_MOST = 1 << 63  # beyond this, JSON's readers elsewhere lose digits and ours lose meaning


def refuse(name: str, why: str) -> NoReturn:
    raise UsageError(f"{name}: {why}")


def plain(value: object) -> Any:
    """As `json.dumps` takes it: dataclasses are objects, tuples are lists."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def readable(kind: type[T], document: object, *, where: str = "", strict: bool = False) -> T:
    """The dataclass `kind` from parsed JSON. Raises UsageError naming the field; `strict`: unknown fields are refused."""
    if not isinstance(document, Mapping):
        refuse(where or "the document", f"an object was expected, not {_shown(document)}")
    known: dict[str, tuple[Any, bool]] = _kinds(kind)  # type: ignore[arg-type]  # a class is hashable
    if strict and (unknown := sorted(set(document) - set(known))):
        refuse(_join(where, unknown[0]), f"there is no such field; there are {', '.join(known)}")
    found = {
        name: _value(wanted, document[name], _join(where, name), strict=strict)
        for name, (wanted, _) in known.items()
        if name in document
    }
    for name, (_, required) in known.items():
        if required and name not in found:
            refuse(_join(where, name), "is missing")
    return kind(**found)


@cache
def _kinds(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Of each field: its type, and whether it has no default."""
    hints = get_type_hints(kind)
    return {
        each.name: (hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    }


def _value(wanted: Any, value: object, where: str, *, strict: bool) -> Any:
    origin = get_origin(wanted)
    if origin is UnionType:
        if value is None:
            return None
        (wanted,) = (each for each in get_args(wanted) if each is not NoneType)
        return _value(wanted, value, where, strict=strict)
    if origin is tuple and isinstance(value, list):
        element = get_args(wanted)[0]
        return tuple(_value(element, each, f"{where}[{n}]", strict=strict) for n, each in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        element = get_args(wanted)[1]
        return {str(key): _value(element, each, _join(where, str(key)), strict=strict) for key, each in value.items()}
    if origin is not None:
        refuse(where, f"{'a list' if origin is tuple else 'an object'} was expected, not {_shown(value)}")
    if isinstance(wanted, type) and is_dataclass(wanted):
        return readable(wanted, value, where=where, strict=strict)
    return _scalar(wanted, value, where)


def _scalar(wanted: type, value: object, where: str) -> object:
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < WHOLE_MOST:
        return float(value)  # NaN fails the comparison, infinity too
    if wanted is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE_MOST:
        return value
    if wanted in (str, bool) and isinstance(value, wanted):
        return value
    names = {float: "a finite number", int: "a whole number", str: "text", bool: "true or false"}
    refuse(where, f"{names[wanted]} was expected, not {_shown(value)}")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
