"""Forms made from frozen dataclasses: what a strategy or a world is in Python is what it is in YAML, written once.

A field's unit suffix becomes the way it is written: `cooldown_s` is the key `cooldown` with a duration, `memory_bytes` is
`memory`, `up_fraction` is `up` with a share, `bandwidth_bytes_per_s` is `bandwidth` with a rate. Field metadata: `doc`, and
the range `ge`, `gt`, `le`, `lt` in the inner unit; `key` where another key reads better. No document of ours may be named here.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, create_model
from pydantic import Field as FormField

from autoscaler.policylang.forms import Flag, Form, Text, one_of, wrong
from autoscaler.policylang.tree import brief
from autoscaler.policylang.units import DURATION, MEMORY, NONE, RATE, REAL, SHARE, WHOLE, Quantity, Unit

SUFFIXES: tuple[tuple[str, Unit], ...] = (
    ("_bytes_per_s", RATE),
    ("_bytes_per_core_s", RATE),
    ("_bytes", MEMORY),
    ("_fraction", SHARE),
    ("_s", DURATION),
)
LABELS = tuple[tuple[str, str], ...]  # pairs in order, written as a mapping
PLAIN = (bool, int, float, str, tuple, type(None))
NOT_NEGATIVE = (DURATION, MEMORY, RATE)


class Record(Form):
    """A form that makes one kind of dataclass."""

    makes: ClassVar[type]
    names: ClassVar[Mapping[type, str]] = {}  # of strategies, by their classes

    def value(self) -> Any:
        """The dataclass. What its constructor refuses (ValueError) is refused here."""
        return self.makes(**{name: _inner(getattr(self, name)) for name in self.model_fields_set})


Special = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes forms. `special(hint)`: the annotation for a type it does not know itself, or None. By field name, where the
    dataclass says nothing of it: `keys`, `annotations`, `bounds` (ge, gt, le, lt) and `docs`, and `shown` (a default as it is written)."""

    special: Special = lambda _hint: None
    keys: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    docs: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)

    def form(self, kind: type, name: str = "", extra: Mapping[str, Any] | None = None) -> type[Record]:
        """The form of dataclass `kind`; `extra`: fields that stand before its own."""
        hints = get_type_hints(kind)
        keys = self._keys([part for part in fields(kind) if part.init])
        parts: dict[str, Any] = dict(extra or {})
        for part in fields(kind):
            if part.init:
                parts[part.name] = (self._annotation(hints[part.name], part), self._default(part, keys[part.name]))
        form = create_model(
            name or kind.__name__, __base__=Record, __doc__=(kind.__doc__ or "").split("\n\n")[0], **parts
        )
        form.makes = kind
        return form

    def _keys(self, own: list[Field[Any]]) -> dict[str, str]:
        """Field name -> key; where two fields would have one key, both are written in full."""
        short = {part.name: part.metadata.get("key") or self.keys.get(part.name) or key_of(part.name) for part in own}
        taken = list(short.values())
        return {name: name if taken.count(key) > 1 else key for name, key in short.items()}

    def _default(self, part: Field[Any], key: str) -> Any:
        doc = part.metadata.get("doc") or self.docs.get(part.name)
        about: dict[str, Any] = {"alias": key, "description": doc} if doc else {"alias": key}
        if part.default is not MISSING and not isinstance(part.default, PLAIN):
            return FormField(default_factory=lambda: part.default, **about)
        if part.default is not MISSING:
            written = part.metadata.get("shown") or self.shown.get(part.name) or shown(part.default, part.name)
            return FormField(default=part.default, json_schema_extra={"default": written}, **about)
        if part.default_factory is not MISSING:
            return FormField(default_factory=part.default_factory, **about)
        return FormField(**about)

    def _annotation(self, hint: Any, part: Field[Any]) -> Any:
        found = part.metadata.get("form") or self.annotations.get(part.name) or self.special(hint)
        if found is not None:
            return found
        optional = type(None) in get_args(hint)
        if get_origin(hint) in (types.UnionType, Union):
            (hint,) = [part for part in get_args(hint) if part is not type(None)]
        if hint in (int, float):
            return self._number(hint, part, optional)
        plain = self._plain(hint)
        found = plain if plain is not None else self._compound(hint, part)
        if not optional:
            return found
        if isinstance(found, type) and issubclass(found, Record):
            return Annotated[found | None, BeforeValidator(or_none), NoneAsWord()]
        return Annotated[found | None, BeforeValidator(or_none)]

    def _number(self, hint: Any, part: Field[Any], optional: bool) -> Any:
        unit = unit_of(part.name) or (WHOLE if hint is int else REAL)
        bounds = self._bounds(part, unit)
        return Annotated[
            hint, Quantity(unit, bounds.get("ge"), bounds.get("gt"), bounds.get("le"), bounds.get("lt"), optional)
        ]

    def _plain(self, hint: Any) -> Any:
        if hint is bool:
            return Flag
        if hint is str:
            return Text
        if get_origin(hint) is Literal:
            words = get_args(hint)
            return Annotated[hint, one_of(words)]
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint
        return None

    def _bounds(self, part: Field[Any], unit: Unit) -> Mapping[str, float]:
        told = {bound: part.metadata[bound] for bound in ("ge", "gt", "le", "lt") if bound in part.metadata}
        return told or self.bounds.get(part.name) or ({"ge": 0} if unit in NOT_NEGATIVE else {})

    def _compound(self, hint: Any, part: Field[Any]) -> Any:
        if hint == LABELS:
            return Annotated[dict[str, Text], BeforeValidator(_mapping)]
        if get_origin(hint) is tuple:
            (of, _) = get_args(hint)
            return tuple.__class_getitem__((self._annotation(of, part), ...))
        if is_dataclass(hint) and isinstance(hint, type):
            return self.form(hint)
        raise TypeError(
            f"part {part.name}: {hint} has no form in YAML; use a number, text, bool, enum, tuple or dataclass"
        )


def unit_of(name: str) -> Unit | None:
    """The unit that a part's name ends with; None = a bare number. A probability is a share that keeps its name."""
    if name.endswith("_probability"):
        return SHARE
    return next((unit for suffix, unit in SUFFIXES if name.endswith(suffix)), None)


def key_of(name: str) -> str:
    """The key under which a part is written: its name without the unit suffix."""
    return next((name.removesuffix(suffix) for suffix, _ in SUFFIXES if name.endswith(suffix)), name)


def shown(value: Any, name: str) -> Any:
    """A value as it would be written in YAML."""
    unit = unit_of(name)
    if value is None:
        return "none"
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return value if isinstance(value, bool | str) else None
    return value if unit is None else unit.show(value)


def or_none(value: Any) -> Any:
    return None if value == NONE else value


class NoneAsWord:
    """In the JSON Schema of a record that may be absent: the word for it, which `or_none` reads."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core)
        return {**schema, "anyOf": [*schema["anyOf"], {"const": NONE}]}


def _inner(value: Any) -> Any:
    if isinstance(value, Record):
        return value.value()
    if isinstance(value, tuple):
        return tuple(_inner(part) for part in value)
    return tuple(value.items()) if isinstance(value, dict) else value


def _mapping(value: Any) -> Any:
    if not isinstance(value, dict):
        raise wrong(f"{brief(value)} is not a mapping; expected labels, like {{tier: web}}")
    return value
