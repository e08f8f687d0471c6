"""The house's rules of size, docstrings and words, held by counting (design, sections 2 and 7). Exceptions carry a reason.

An exception that is no longer needed fails too: the table never says more than is true.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES, FUNCTION_LINES = 300, 60
C_FILE_LINES, C_FUNCTION_LINES = 250, 70
SIGN_FROM_LINES = 10  # a longer module says what it is
SELF_EVIDENT_LINES = 4  # a shorter function's name and types say it all
BARE_WORDS = {"vm", "node", "instance", "server", "domain"}
VENDOR_ADAPTERS = ("adapters/libvirt.py", "agent/xen.py", "agent/handover_halves.py")  # a vendor's words may stand here

YAML_NODE = "a node is PyYAML's word for a part of a document that has a position"
HTTP_SERVER = "the HTTP server; uvicorn's word, and nothing else here serves"

# (rule, place; * stands for anything) -> why it is right as it is
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("bare words", "autoscaler/policylang/*.py:node"): YAML_NODE,
    ("bare words", "autoscaler/config/*.py:node"): YAML_NODE,
    ("bare words", "autoscaler/telemetry/server.py:server"): HTTP_SERVER,
    ("bare words", "autoscaler/cli/run.py:server"): HTTP_SERVER,
}


def modules() -> list[Path]:
    return sorted((ROOT / "autoscaler").rglob("*.py"))


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def held(rule: str, broken: set[str]) -> None:
    """All that break `rule` are excepted, and all that are excepted break it."""
    patterns = [place for known, place in EXCEPTIONS if known == rule]
    unexcused = {place for place in broken if not any(fnmatch(place, pattern) for pattern in patterns)}
    assert unexcused == set(), f"breaks the rule of {rule}: shorten, name, or except it with a reason"
    idle = {pattern for pattern in patterns if not any(fnmatch(place, pattern) for place in broken)}
    assert idle == set(), f"is excepted from the rule of {rule} for nothing: take it out of the table"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_module_is_longer_than_300_lines():
    held("module length", {where(path) for path in modules() if len(path.read_text().splitlines()) > MODULE_LINES})


def test_no_function_is_longer_than_60_lines_and_most_are_under_25():
    sizes = {f"{where(path)}:{f.name}": lines(f) for path in modules() for f in functions(ast.parse(path.read_text()))}
    held("function length", {place for place, size in sizes.items() if size > FUNCTION_LINES})
    assert sum(size < 25 for size in sizes.values()) > 0.9 * len(sizes)


def test_every_module_has_its_sign():
    held(
        "module docstring",
        {
            where(path)
            for path in modules()
            if len(path.read_text().splitlines()) > SIGN_FROM_LINES
            and not ast.get_docstring(ast.parse(path.read_text()))
        },
    )


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Top-level classes and functions, and methods of those classes, that others may use."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_"))


def self_evident(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Short enough that name and types say it all: an accessor of some lines, a value of some fields."""
    fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
    if isinstance(node, ast.ClassDef):
        return len(fields) <= SELF_EVIDENT_LINES + 1
    return lines(node) <= SELF_EVIDENT_LINES + 1


def test_the_public_core_says_what_it_is_where_that_is_not_self_evident():
    rooms = [
        *sorted((ROOT / "autoscaler/core").rglob("*.py")),
        ROOT / "autoscaler/ports.py",
        ROOT / "autoscaler/runtime.py",
    ]
    held(
        "public docstring",
        {
            f"{where(path)}:{node.name}"
            for path in rooms
            for node in public(ast.parse(path.read_text()))
            if not ast.get_docstring(node) and not self_evident(node)
        },
    )


def names(tree: ast.Module) -> Iterator[str]:
    """Identifiers that are ours: of what is defined, taken as an argument, assigned."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def words(name: str) -> list[str]:
    """`CloudVMSize` and `cloud_vm_size` are cloud, vm, size."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    return [part.lower() for part in parts]


def bare(name: str) -> set[str]:
    """The ambiguous words in it that stand there without saying which one is meant."""
    found = words(name)
    return {
        word.removesuffix("s")
        for n, word in enumerate(found)
        if word.removesuffix("s") in BARE_WORDS and (n == 0 or found[n - 1] not in {"app", "cloud", "management"})
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vm", True), ("vms", True), ("node_of", True), ("TheServer", True), ("domain_id", True), ("isinstance", False),
        ("cloud_vm", False), ("app_vms", False), ("CloudVMSize", False), ("AppVM", False), ("removed", False),
    ],
)  # fmt: skip
def test_a_bare_word_is_recognised(name, expected):
    assert bool(bare(name)) is expected


def test_no_name_says_vm_node_instance_server_or_domain_alone():
    held(
        "bare words",
        {
            f"{where(path)}:{word}"
            for path in modules()
            if not where(path).endswith(VENDOR_ADAPTERS)
            for name in names(ast.parse(path.read_text()))
            for word in bare(name)
        },
    )


def c_files() -> list[Path]:
    found = [path for ending in ("*.c", "*.h") for path in (ROOT / "libos").rglob(ending)]
    return sorted(path for path in found if not {"build", "out"} & set(path.relative_to(ROOT).parts))


def c_functions(text: str) -> Iterator[tuple[str, int]]:
    """(name, lines) of each function: kernel style, the closing brace in the first column."""
    begin, head = None, ""
    for number, line in enumerate(text.splitlines()):
        if line.startswith("{") or (re.match(r"\w", line) and line.rstrip().endswith(") {")):
            begin, head = number, line if "(" in line else head
        elif line.startswith("}") and begin is not None:
            name = re.search(r"(\w+)\s*\(", head)
            if name:
                yield name[1], number - begin + 1
            begin = None
        elif re.match(r"\w", line):
            head = line


def test_c_files_and_functions_are_short():
    texts = {where(path): path.read_text() for path in c_files()}
    held("C file length", {place for place, text in texts.items() if len(text.splitlines()) > C_FILE_LINES})
    sizes = {f"{place}:{name}": size for place, text in texts.items() for name, size in c_functions(text)}
    held("C function length", {place for place, size in sizes.items() if size > C_FUNCTION_LINES})
