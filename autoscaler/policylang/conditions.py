"""Conditions in policies: CEL text to a predicate, type-checked against core/conditions before a policy is loaded.

Only this module and figures.py know CEL (cel-expr-python, Google's C++ implementation: it has the static checker that the language
defines). What fails at run time all the same raises, and the guard takes it for a no.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel

from autoscaler.core.conditions import NAMES, PLAIN
from autoscaler.errors import PolicyError, Position
from autoscaler.policylang.tree import brief
from autoscaler.policylang.units import nearest

MOST_CHARACTERS = 2000
TYPES: Mapping[type, Any] = {float: cel.Type.DOUBLE, int: cel.Type.INT, str: cel.Type.STRING, bool: cel.Type.BOOL}
WORDS = {
    "double": "a number with a decimal point",
    "int": "a whole number",
    "string": "a text",
    "bool": "true or false",
}
# What a condition is tried on when it is loaded, so that one which must fail (a division by zero at midnight, a broken
# regular expression) is refused then and not at three in the morning: zeros, an ordinary cluster, a busy one.
SHAPES: tuple[Mapping[type, Any], ...] = (
    {float: 0.0, int: 0, str: "", bool: False},
    {float: 0.5, int: 6, str: "web", bool: True},
    {float: 1.5, int: 1, str: "scale_in", bool: False},
)


class ConditionError(Exception):
    """The expression is not a condition. `line` and `column`: in the expression, from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(message)


@dataclass(frozen=True, slots=True, eq=False)
class Predicate:
    """A checked condition. Call it with the values of core/conditions.context; raises ValueError or RuntimeError, with the
    reason, where it cannot be evaluated: the guard takes that for a no."""

    text: str
    expression: Any

    def __call__(self, variables: Mapping[str, Any]) -> bool:
        result = self.expression.eval(data=dict(_flat(variables)))
        if result.type() != cel.Type.BOOL:
            raise ValueError(_reason(str(result.value())))
        return bool(result.value())


def names() -> tuple[str, ...]:
    """Every name a condition may use, like usage.cpu."""
    return tuple(known for known, _ in _declared())


def check_condition(text: str) -> Predicate:
    """Compile, type-check and try `text`. Raises ConditionError."""
    if len(text) > MOST_CHARACTERS:
        raise ConditionError(f"a condition of {len(text)} characters; expected {MOST_CHARACTERS} at most")
    try:
        expression = _environment().compile(text)
    except Exception as error:  # noqa: BLE001  the C++ side raises RuntimeError and more
        raise _translated(str(error)) from None
    if expression.return_type() != cel.Type.BOOL:
        kind = expression.return_type().name()
        raise ConditionError(
            f"the condition is {WORDS.get(kind.lower(), kind)}; expected true or false, like usage.cpu < 0.8"
        )
    predicate = Predicate(text, expression)
    for shape in SHAPES:
        try:
            predicate({name: shape[kind] for name, kind in _declared()})
        except Exception as error:  # noqa: BLE001  see above
            where = f"where whole numbers are {shape[int]} and others {shape[float]}"
            raise ConditionError(f"it fails {where}: {error}; expected a condition that never does") from None
    return predicate


@lru_cache(maxsize=256)
def compile_condition(text: str) -> Predicate:
    """The predicate of a policy's condition (compiled once). Raises PolicyError where it is none."""
    try:
        return check_condition(text)
    except ConditionError as error:
        raise PolicyError(Position("condition", error.line, error.column), error.message) from None


@cache
def _environment() -> Any:
    return cel.NewEnv(variables={name: TYPES[kind] for name, kind in _declared()})


def _declared() -> Iterator[tuple[str, type]]:
    yield from PLAIN.items()
    for group, members in NAMES.items():
        yield from ((f"{group}.{name}", kind) for name, kind in members.items())


def _flat(variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """usage: {cpu: 1} becomes usage.cpu: 1, which is how names are declared to the checker."""
    for group, value in variables.items():
        if isinstance(value, Mapping):
            yield from ((f"{group}.{name}", inner) for name, inner in value.items())
        else:
            yield group, value


REFERENCE = re.compile(r"undeclared reference to '([^']*)'")
OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")


def _translated(report: str) -> ConditionError:
    """The checker's first complaint in our words, with the nearest name or the usual remedy."""
    match = re.search(r"<input>:(\d+):(\d+): (.*)", report)
    if match is None:
        return ConditionError(f"not a condition: {_reason(report)}; expected a CEL expression like usage.cpu < 0.8")
    line, column, complaint = int(match.group(1)), int(match.group(2)), match.group(3)
    if unknown := REFERENCE.search(complaint):
        name = unknown.group(1)
        begin = max(1, column - name.rfind(".")) if "." in name else column
        return ConditionError(
            f"unknown name {brief(name)}; expected one of {', '.join(names())}{nearest(name, names())}", line, begin
        )
    if types := OVERLOAD.search(complaint):
        operator, given = types.group(1).replace("_", "").replace("@", ""), types.group(2)
        remedy = (
            "; write the number with a decimal point (1.0), or convert with double(...)"
            if {"int", "double"} <= set(given.split(", "))
            else ""
        )
        return ConditionError(f"{operator} does not take ({given}); expected values of one type{remedy}", line, column)
    return ConditionError(
        f"not a condition: {_reason(complaint)}; expected a CEL expression like usage.cpu < 0.8", line, column
    )


def _reason(report: str) -> str:
    """One line without the checker's codes and drawings."""
    text = " ".join(report.split())
    text = re.sub(r" expecting .*$", "", text).replace("mismatched input '<EOF>'", "it ends too early")
    return re.sub(r"^(INVALID_ARGUMENT|CANCELLED|UNKNOWN|NOT_FOUND|OUT_OF_RANGE): |\s*\[[A-Z_]+\]$", "", text)
