"""YAML text to a tree of plain values that know where they stand, with every limit that keeps hostile text harmless.

Separate because no document type matters here: only text. Parses events instead of composing nodes, so that neither depth nor
aliases cost more than they are allowed to. Scalars mean what YAML 1.2 says: `on`, `no` and `22:00` are texts, not booleans
and sexagesimal numbers. Refused: tags, merge keys, a second document, a key twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from autoscaler.errors import PolicyError, Position

MIB = 1 << 20
TEXT_BYTES = MIB  # a policy or config of a thousand lines has 40 KiB
MOST_NODES = 10_000  # after aliases are expanded: ten aliases of ten aliases of ... are counted, not built
MOST_DEPTH = 50
MOST_DIGITS = 40  # of a number: beyond it, only a mistake or an attack

Scalar = str | int | float | bool | None
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it
INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A document's text and what to call it in messages."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def error(self, message: str, line: int = 1, column: int = 1) -> PolicyError:
        return PolicyError(Position(self.name, line, column), message)


@dataclass(slots=True, eq=False)
class Node:
    """A value and where it stands (from 1). `value`: a scalar, a list of nodes, or key -> (node of the key, node).

    `size`: nodes in it, keys included, aliases counted as often as they are used. `style` of a scalar: its quotes, | or >, or empty."""

    line: int
    column: int
    value: Scalar | list[Node] | dict[str, tuple[Node, Node]]
    size: int = 1
    style: str = ""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet; `key` is the mapping's key that waits for its value."""

    node: Node
    anchor: str | None
    key: Node | None = None


@dataclass(slots=True)
class _Builder:
    """Folds YAML events into one Node."""

    source: Source
    most_nodes: int
    root: Node | None = None
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)

    def take(self, event: Any) -> None:
        """One event more. Raises PolicyError where a limit or rule is broken."""
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                raise self.source.error(
                    "a second document begins here; expected one: remove `---` and what follows", line, column
                )
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._alias(str(event.anchor), line, column), line, column)
        elif isinstance(event, yaml.NodeEvent):
            self._open(event, line, column)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def _open(self, event: Any, line: int, column: int) -> None:
        if event.tag is not None:
            raise self.source.error(f"tag {brief(event.tag)} is not supported; expected a plain value", line, column)
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            node = Node(line, column, event.value if style else self._scalar(event.value, line, column), style=style)
            if event.anchor is not None:
                self.anchors[event.anchor] = node
            self._place(node, line, column)
            return
        if len(self.stack) >= MOST_DEPTH:
            raise self.source.error(
                f"nested more than {MOST_DEPTH} deep; expected a document of a few levels", line, column
            )
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(Node(line, column, value), event.anchor))

    def _close(self) -> None:
        ended = self.stack.pop()
        if ended.anchor is not None:
            self.anchors[ended.anchor] = ended.node
        self._place(ended.node, ended.node.line, ended.node.column)

    def _place(self, node: Node, line: int, column: int) -> None:
        """Put a finished node into the collection around it."""
        if not self.stack:
            self.root = node
            return
        around = self.stack[-1]
        around.node.size += node.size
        if around.node.size > self.most_nodes:
            reason = f"more than {self.most_nodes} values, aliases expanded; expected fewer"
            raise self.source.error(reason, line, column)
        content = around.node.value
        if isinstance(content, list):
            content.append(node)
        elif around.key is None:
            around.key = self._key(node, content, line, column)
        else:
            assert isinstance(content, dict)
            content[str(around.key.value)] = (around.key, node)
            around.key = None

    def _key(self, node: Node, mapping: Any, line: int, column: int) -> Node:
        if isinstance(node.value, list | dict):
            raise self.source.error("a key is a list or mapping; expected a name", line, column)
        name = key_text(node)
        if name == "<<":
            raise self.source.error("merge key << is not supported; expected the keys themselves", line, column)
        if name in mapping:
            first = mapping[name][0]
            reason = f"key {brief(name)} is here twice (first in line {first.line}); expected it once"
            raise self.source.error(reason, line, column)
        return Node(node.line, node.column, name)

    def _alias(self, anchor: str, line: int, column: int) -> Node:
        if anchor not in self.anchors:
            inside = any(opened.anchor == anchor for opened in self.stack)
            reason = (
                f"alias *{anchor} is inside its own anchor" if inside else f"alias *{anchor} has no anchor before it"
            )
            raise self.source.error(f"{reason}; expected the value itself", line, column)
        return self.anchors[anchor]

    def _scalar(self, text: str, line: int, column: int) -> Scalar:
        if text in WORDS:
            return WORDS[text]
        if not FLOAT.fullmatch(text):
            return text
        if len(text) > MOST_DIGITS:
            raise self.source.error(
                f"number {brief(text)} has {len(text)} digits; expected {MOST_DIGITS} at most", line, column
            )
        return int(text) if INTEGER.fullmatch(text) else float(text)


def read_source(path: Path | str, most_bytes: int = TEXT_BYTES, expected: str = "expected a YAML file") -> Source:
    """The file's text. Raises PolicyError where it is missing, too big, or not UTF-8."""
    name, file = str(path), Path(path)
    try:
        if file.is_dir():
            raise Source(name, "").error(f"this is a directory; {expected}")
        with file.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Source(name, "").error(f"cannot be read ({reason}); {expected}") from None
    except ValueError as error:  # a NUL in the name
        raise Source(repr(name), "").error(f"cannot be read ({error}); {expected}") from None
    if len(content) > most_bytes:
        raise Source(name, "").error(f"bigger than {most_bytes // MIB} MiB; expected a smaller file")
    return Source(name, _decode(name, content))


def parse(source: Source, most_nodes: int = MOST_NODES) -> Node:
    """The tree of `source`. Raises PolicyError at the first place where it is not the YAML described above."""
    builder = _Builder(source, most_nodes)
    try:
        for event in _events(source):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise source.error(_complaint(source, error, line), line, column) from None
    except yaml.reader.ReaderError as error:
        line, column = _place_of(source.text, error.position)
        raise source.error(
            f"character {brief(chr(int(error.character)))} is not allowed; expected printable text", line, column
        ) from None
    if builder.root is None:
        raise source.error("the file is empty; expected a mapping of keys to values")
    return builder.root


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars, without positions. Aliased parts are shared, not copied."""
    if isinstance(node.value, dict):
        return {name: plain(value) for name, (_, value) in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


def key_text(node: Node) -> str:
    """A key as written in a message: `true` for True, `null` for None."""
    if isinstance(node.value, bool) or node.value is None:
        return {True: "true", False: "false", None: "null"}[node.value]
    return str(node.value)


def brief(value: object, most: int = 60) -> str:
    """A value on one line in a message: quoted if text, cut if long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= most else text[: most - 4] + "..." + text[0] * isinstance(value, str)


def _events(source: Source) -> Iterator[Any]:
    yield from yaml.parse(source.text, Loader=LOADER)


def _decode(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", errors="replace")
        line, column = _place_of(before, len(before))
        reason = f"byte 0x{content[error.start]:02x} is not UTF-8; expected UTF-8 text"
        raise Source(name, "").error(reason, line, column) from None
    bad = re.search("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]", text)
    if bad is not None:
        line, column = _place_of(text, bad.start())
        reason = f"character {brief(bad.group())} is not allowed in YAML; expected printable text"
        raise Source(name, "").error(reason, line, column)
    return text


def _place_of(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _from(error: yaml.MarkedYAMLError) -> str:
    """Where what the parser was busy with began, if not where it failed."""
    mark, failed = error.context_mark, error.problem_mark
    return f"from line {mark.line + 1}," if mark and failed and mark.line != failed.line and error.context else ""


def _complaint(source: Source, error: yaml.MarkedYAMLError, line: int) -> str:
    """The parser's complaint in our words where the cause is known."""
    lines = source.text.split("\n")
    here = lines[line - 1] if line <= len(lines) else ""
    problem = " ".join(f"{error.context or ''} {_from(error)} {error.problem or ''}".split())
    if "\t" in here[: len(here) - len(here.lstrip())] or "'\\t'" in problem or "tab" in problem.lower():
        return "a tab; expected spaces for indentation"
    return f"not YAML: {problem}; expected `key: value` lines, indented evenly"
