"""How a policy says which actions it speaks of, and what must hold for them: lists, groups, values per action, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from autoscaler.core.model import Action
from autoscaler.policylang.conditions import ConditionError, check_condition
from autoscaler.policylang.forms import Text, wrong
from autoscaler.policylang.tree import brief
from autoscaler.policylang.units import DURATION, Quantity, nearest

# Groups, from the widest to the narrowest: what is said of a narrower one, or of an action itself, counts more.
GROUPS: Mapping[str, tuple[Action, ...]] = {
    "all": tuple(Action),
    "saving": tuple(action for action in Action if action.saves_money),
    "serving": tuple(action for action in Action if not action.saves_money),
}
NAMES = (*GROUPS, *(action.value for action in Action))
QUIET = Quantity(DURATION, ge=0)


def _actions(value: Any) -> tuple[Action, ...]:
    """One name or a list of them to the actions meant, in the order of `Action`."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise wrong(f"{brief(value)} is not a list of actions; expected one or more of {', '.join(NAMES)}")
    return tuple(action for action in Action if any(action in _meant(word) for word in list(words)))


def _meant(word: Any) -> tuple[Action, ...]:
    if word in tuple(Action):
        return (Action(word),)
    if not isinstance(word, str) or word not in GROUPS:
        close = nearest(word, NAMES) if isinstance(word, str) else ""
        raise wrong(f"{brief(word)} is not an action; expected one of {', '.join(NAMES)}{close}")
    return GROUPS[word]


def _quiet_times(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise wrong(f"{brief(value)} is not a mapping; expected one or more of {', '.join(NAMES)} with a duration each")
    return {_known(key): _duration(key, text) for key, text in value.items()}


def _known(key: str) -> str:
    if key not in NAMES:
        message = f"unknown key {brief(key)}; expected one of {', '.join(NAMES)}{nearest(key, NAMES)}"
        raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})
    return key


def _duration(key: str, text: Any) -> float:
    try:
        found = QUIET.read(text)
    except PydanticCustomError as error:
        context = {**(error.context or {}), "inside": key}
        raise PydanticCustomError("quantity", "{message}", context) from None
    assert found is not None
    return found


def per_action(told: Mapping[str, float]) -> dict[Action, float]:
    """Values per action from values per group and action."""
    found: dict[Action, float] = {}
    for name in (name for name in NAMES if name in told):
        found |= dict.fromkeys(GROUPS.get(name) or (Action(name),), told[name])
    return {action: found[action] for action in Action if action in found}


def _condition(value: str) -> str:
    try:
        check_condition(value)
    except ConditionError as error:
        context = {"message": error.message, "offset": (error.line, error.column)}
        raise PydanticCustomError("condition", "{message}", context) from None
    return value


ACTION_SCHEMA = {"type": "string", "enum": list(NAMES)}
ActionList = Annotated[
    tuple[Action, ...],
    BeforeValidator(_actions),
    WithJsonSchema({"anyOf": [ACTION_SCHEMA, {"type": "array", "items": ACTION_SCHEMA, "minItems": 1}]}),
]
PerAction = Annotated[
    dict[str, float],
    BeforeValidator(_quiet_times),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: QUIET.json_schema() for name in NAMES},
        }
    ),
]
When = Annotated[Text, BeforeValidator(lambda value: _condition(value) if isinstance(value, str) else value)]
