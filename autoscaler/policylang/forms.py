"""Filling a typed form (pydantic) from a tree, or one error that says where, what was read, what was expected, what is nearest.

Separate so that every document (policy, config, cluster, world) speaks of mistakes in one voice. No document's own keys here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from autoscaler.errors import PolicyError
from autoscaler.policylang.tree import Node, Source, brief, plain
from autoscaler.policylang.units import nearest


class Form(BaseModel):
    """A mapping of the document: its fields are the keys that may be there, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if not isinstance(value, dict):
            read = "nothing is here" if value is None else f"{brief(value)} is not a mapping"
            hint = ", or no such key at all" if value is None else ""
            raise wrong(f"{read}; expected one or more of {', '.join(known)}{hint}")
        for key in value:
            if key not in known:
                message = f"unknown key {brief(key)}; expected one of {', '.join(known)}{nearest(str(key), known)}"
                raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})
        return value


F = TypeVar("F", bound=Form)


def wrong(message: str) -> PydanticCustomError:
    """A mistake that a validator has found; `message`: what was read, what was expected."""
    return PydanticCustomError("wrong", "{message}", {"message": message})


def one_of(known: tuple[str, ...]) -> BeforeValidator:
    """Annotation: a text that is one of the known words."""

    def check(value: Any) -> Any:
        if value not in known:
            close = nearest(value, known) if isinstance(value, str) else ""
            raise wrong(f"{brief(value)} is not known; expected one of {', '.join(known)}{close}")
        return value

    return BeforeValidator(check)


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise wrong(
            f"{brief(value)} is not a text; expected one, in quotes where it looks like a number or a word of YAML"
        )
    return value


def _flag(value: Any) -> Any:
    if not isinstance(value, bool):
        raise wrong(f"{brief(value)} is not true or false; expected true or false")
    return value


Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s]+$"), BeforeValidator(_text)]


def fill(form: type[F], source: Source, node: Node, context: Mapping[str, Any] | None = None) -> F:
    """The form with the tree's values. Raises PolicyError at the first mistake, in the order of the text."""
    try:
        return form.model_validate(plain(node), context=dict(context or {}))
    except ValidationError as error:
        faults = [_fault(source, node, details) for details in error.errors(include_url=False)]
    raise min(faults, key=lambda fault: (fault.position.line, fault.position.column))


def locate(node: Node, location: tuple[int | str, ...]) -> tuple[Node, tuple[int | str, ...]]:
    """The node at `location` as far as the tree has it, and the steps taken; union tags (which are no keys) are left out."""
    taken: list[int | str] = []
    for position, step in enumerate(location):
        value = node.value
        if isinstance(value, dict) and step in value and not _is_tag(value, step, location[position + 1 :]):
            node = value[str(step)][1]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            node = value[step]
        else:
            continue
        taken.append(step)
    return node, tuple(taken)


def _is_tag(mapping: Mapping[str, tuple[Node, Node]], step: int | str, rest: tuple[int | str, ...]) -> bool:
    """Whether `step` names the strategy of `mapping` and not a key in it that happens to be called the same."""
    return "name" in mapping and mapping["name"][1].value == step and bool(rest) and rest[0] in mapping


def _fault(source: Source, root: Node, details: ErrorDetails) -> PolicyError:
    node, steps = locate(root, details["loc"])
    context = details.get("ctx", {})
    where = path_text(steps)
    if details["type"] == "unknown_key" and isinstance(node.value, dict):
        node = node.value[context["key"]][0]
    elif details["type"].startswith("union_tag") and isinstance(node.value, dict) and "name" in node.value:
        node = node.value["name"][1]
        where = f"{where}.name"
    elif "inside" in context and isinstance(node.value, dict):
        node = node.value[context["inside"]][1]
        where = f"{where}.{context['inside']}"
    message = _message(details, context)
    line, column = _inside(source, node, context.get("offset"))
    return source.error(f"{where}: {message}" if where else message, line, column)


def _inside(source: Source, node: Node, offset: tuple[int, int] | None) -> tuple[int, int]:
    """The place of character (line, column, from 1) of a text that stands in the file as it is; else where it begins."""
    if offset is None or not isinstance(node.value, str):
        return node.line, node.column
    lines, said = source.text.split("\n"), node.value.split("\n")
    below = offset[0] if node.style == "|" else 0
    line, text = lines[min(node.line - 1 + below, len(lines) - 1)], said[min(offset[0], len(said)) - 1]
    begin = line.find(text) if below else node.column - 1 + (node.style in ("'", '"'))
    if (below or len(said) == 1) and begin >= 0 and line[begin:].startswith(text):
        return node.line + below, begin + offset[1]
    return node.line, node.column


def path_text(steps: tuple[int | str, ...]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


NO_LIST = "{read} is not a list; expected a list, like [a, b] or lines that begin with `- `"
NO_NAME = "{read} is not a name; expected one without spaces"
PHRASES = {  # pydantic's kinds of mistakes, in our words
    "tuple_type": NO_LIST,
    "list_type": NO_LIST,
    "dict_type": "{read} is not a mapping; expected keys with values",
    "too_long": "{actual_length} are here; expected {max_length} at most",
    "string_pattern_mismatch": NO_NAME,
    "string_too_short": NO_NAME,
    "string_too_long": "{read} is too long; expected {max_length} characters at most",
}
TAG_MISTAKES = ("union_tag_not_found", "union_tag_invalid", "model_attributes_type")


def _message(details: ErrorDetails, context: Mapping[str, Any]) -> str:
    if "message" in context:
        return str(context["message"])
    if details["type"] in TAG_MISTAKES:
        return _tag_message(details, context)
    return _plain_message(details, context)


def _plain_message(details: ErrorDetails, context: Mapping[str, Any]) -> str:
    """For mistakes that pydantic finds by itself."""
    kind, read = details["type"], brief(details["input"])
    if kind == "missing":
        return f"key {details['loc'][-1]!r} is missing; expected it here"
    if kind == "enum":
        known = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{read} is not known; expected one of {', '.join(known)}{nearest(str(details['input']), known)}"
    if kind in PHRASES:
        return PHRASES[kind].format(read=read, **context)
    return f"{read}: {details['msg'][:1].lower()}{details['msg'][1:]}"


def _tag_message(details: ErrorDetails, context: Mapping[str, Any]) -> str:
    if not isinstance(details["input"], dict):
        return f"{brief(details['input'])} is not a mapping; expected one with the key name, like {{name: hold}}"
    if details["type"] == "union_tag_not_found":
        return "key 'name' is missing; expected the strategy's name here"
    known = context["expected_tags"].replace("'", "").split(", ")
    tag = context["tag"]
    return f"no strategy is called {brief(tag)}; expected one of {', '.join(known)}{nearest(str(tag), known)}"
