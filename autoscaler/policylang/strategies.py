"""Forms of strategies, nested ones included: made from their dataclasses, and turned into the StrategySpec the core knows.

The classes come in as an argument: which strategies there are is the registry's knowledge, not this room's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import lru_cache
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args

from pydantic import AfterValidator, Discriminator, Tag
from pydantic import Field as FormField

from autoscaler.core.policy import StrategySpec
from autoscaler.errors import UsageError
from autoscaler.policylang.forms import Form, wrong
from autoscaler.policylang.records import Record, Recorder
from autoscaler.ports import Strategy

StrategyTypes = Mapping[str, type]
ANY = "AnyStrategy"
NAME = "name_"  # the field behind the key `name`: a strategy may have a parameter that is called so in Python


def strategy_annotation(types: StrategyTypes) -> Any:
    """What a policy's key `strategy` may hold: one of the strategies by its name, with its parameters beside it."""
    return _annotation(tuple(types.items()))


def spec_of(record: Record) -> StrategySpec:
    """The strategy with all its parameters, defaults included: what it was told then does not change with a later default."""
    return StrategySpec(getattr(record, NAME), {f.name: _plain(record, f) for f in fields(record.makes) if f.init})


def strategy_of(record: Record) -> Any:
    """The strategy itself. Raises ValueError where its parameters do not go together."""
    names = {f.name for f in fields(record.makes) if f.init} & record.model_fields_set
    values = {name: getattr(record, name) for name in names}
    return record.makes(
        **{n: strategy_of(v) if isinstance(v, Record) and hasattr(v, NAME) else v for n, v in values.items()}
    )


@lru_cache(maxsize=8)
def _annotation(types: tuple[tuple[str, type], ...]) -> Any:
    recorder = Recorder(special=_nested)
    forms = [recorder.form(kind, f"strategy_{name}", _tag(name)) for name, kind in types]
    tagged = [Annotated[form, Tag(name)] for form, (name, _) in zip(forms, types, strict=True)]
    checked: Any = Annotated[Union[tuple(tagged)], Discriminator(_named), AfterValidator(_checked)]  # noqa: UP007
    for form in forms:
        form.names = {kind: name for name, kind in types}
        form.model_rebuild(force=True, _types_namespace={ANY: checked})
    return checked


def _nested(hint: Any) -> Any:
    if hint is Strategy:
        return ForwardRef(ANY)
    return Union[ForwardRef(ANY), None] if Strategy in get_args(hint) else None  # noqa: UP007


def _tag(name: str) -> dict[str, Any]:
    return {NAME: (Literal[name], FormField(alias="name", description="the strategy"))}


def _named(value: Any) -> str | None:
    """The name by which a strategy's form is chosen."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, NAME, None)
    return name if isinstance(name, str) else None


def _checked(record: Form) -> Form:
    """Refuse parameters that do not go together, by the strategy's own word."""
    assert isinstance(record, Record)
    try:
        strategy_of(record)
    except (TypeError, ValueError, UsageError) as error:
        raise wrong(f"strategy {getattr(record, NAME)}: {error}") from None
    return record


def _plain(record: Record, field: Field[Any]) -> Any:
    value = getattr(record, field.name)
    if isinstance(value, Record):
        return _as_mapping(spec_of(value))
    return _as_plain(value, record.names)


def _as_plain(value: Any, names: Mapping[type, str]) -> Any:
    """A default as plain values: a strategy becomes a mapping with its name."""
    if type(value) in names:
        parameters = {f.name: _as_plain(getattr(value, f.name), names) for f in fields(value) if f.init}
        return {"name": names[type(value)], **parameters}
    return list(value) if isinstance(value, tuple) else value


def _as_mapping(spec: StrategySpec) -> dict[str, Any]:
    return {"name": spec.name, **spec.parameters}
