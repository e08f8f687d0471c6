"""Every number that a policy says: its key, its unit, the range that its declaration allows, and what it is now.

Separate so that a tuner may change any of them without knowing a key: what can be written and what can be searched are made
of the same declarations. Nothing is judged or tried here; what comes out is text that is read like any other policy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from autoscaler.policylang.choices import QUIET
from autoscaler.policylang.forms import Form, fill, path_text
from autoscaler.policylang.policy import policy_form
from autoscaler.policylang.strategies import StrategyTypes
from autoscaler.policylang.tree import Source, parse, plain
from autoscaler.policylang.units import REAL, WHOLE, Quantity, Unit

WIDTH = 120  # of the lines written
Steps = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """One number: where it stands, what it may be (`quantity`), what it is (None: the word for none) and what it means."""

    steps: Steps
    quantity: Quantity
    value: float | None
    doc: str

    @property
    def name(self) -> str:
        """Its key with those above it: `strategy.hurdle`, `limits.worth_it.k`."""
        return path_text(self.steps)


@dataclass(frozen=True, slots=True)
class Written:
    """A policy as it was written: the document without positions, and all its numbers in the order of the form."""

    document: Mapping[str, Any]
    numbers: tuple[Number, ...]

    @property
    def name(self) -> str:
        return str(self.document["name"])

    def text(self, values: Mapping[Steps, float], name: str = "") -> str:
        """The policy in YAML with other numbers at `values`, and another `name` if one is given. What is said nowhere is
        written down where it belongs."""
        document, units = copy.deepcopy(dict(self.document)), {n.steps: n.quantity.unit for n in self.numbers}
        if name:
            document["name"] = name
        for steps, value in values.items():
            _set(document, steps, _written(units[steps], value))
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=WIDTH)


def read_numbers(text: str, file_name: str, strategy_types: StrategyTypes) -> Written:
    """The numbers of the policy in `text`. Raises PolicyError."""
    source = Source(file_name, text)
    root = parse(source)
    form = fill(policy_form(strategy_types), source, root)
    return Written(plain(root), tuple(_numbers(form, ())))


def _numbers(form: Form, steps: Steps) -> Iterator[Number]:
    for name, field in type(form).model_fields.items():
        here, value = (*steps, field.alias or name), getattr(form, name)
        quantity = next((part for part in field.metadata if isinstance(part, Quantity)), None)
        if quantity is not None:
            yield Number(here, quantity, value, field.description or "")
        elif isinstance(value, Form):
            yield from _numbers(value, here)
        elif isinstance(value, tuple):
            for place, part in enumerate(value):
                if isinstance(part, Form):
                    yield from _numbers(part, (*here, place))
        elif field.annotation == dict[str, float]:  # quiet times, per action or group
            for key, seconds in value.items():
                yield Number((*here, key), QUIET, seconds, f"{field.description} ({key})")


def _written(unit: Unit, value: float) -> Any:
    if unit is WHOLE:
        return int(value)
    return float(value) if unit is REAL else unit.show(value)


def _set(document: dict[str, Any], steps: Steps, value: Any) -> None:
    """Put `value` at `steps`, making the mappings on the way that are not written."""
    part: Any = document
    for step in steps[:-1]:
        part = part.setdefault(step, {}) if isinstance(part, dict) else part[int(step)]
    part[steps[-1]] = value
