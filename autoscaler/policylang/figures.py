"""Expressions over the figures of a replay, for the gate `--fail-if`: CEL text to a predicate.

Separate from conditions because the names are those of a score, not of a cluster; the language and its errors are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from cel_expr_python import cel

from autoscaler.errors import UsageError
from autoscaler.policylang.conditions import Predicate
from autoscaler.policylang.units import nearest

EXAMPLE = "cost > 1.02 * baseline.cost || unserved_fraction > baseline.unserved_fraction"
WHOLE = re.compile(r"(?<![\w.])(\d+)(?![\w.])")  # all figures are doubles, and CEL adds no 10 to a double
NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*(?!\w*\()")
NOISE = re.compile(r"INVALID_ARGUMENT: |\[INVALID_ARGUMENT\]|ERROR: <input>:\d+:|\|.*")
WORDS = ("true", "false")


def compile_figures(text: str, names: Iterable[str]) -> Callable[[Mapping[str, float]], bool]:
    """The predicate of `text` over `names` (numbers all of them, `baseline.cost` included). Raises UsageError.

    Whole numbers are taken for numbers.
    """
    known = tuple(names)
    environment = cel.NewEnv(variables=dict.fromkeys(known, cel.Type.DOUBLE))
    try:
        expression = environment.compile(WHOLE.sub(r"\1.0", text))
    except Exception as error:  # noqa: BLE001  the C++ side raises RuntimeError and more
        raise UsageError(f"--fail-if {text!r} {_mistake(text, known, str(error))}") from None
    if expression.return_type() != cel.Type.BOOL:
        raise UsageError(f"--fail-if {text!r} is not true or false; expected something like {EXAMPLE}")
    predicate = Predicate(text, expression)

    def holds(figures: Mapping[str, float]) -> bool:
        try:
            return predicate({name: float(figures[name]) for name in known})
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"--fail-if {text!r} cannot be evaluated: {error}") from None

    return holds


def _mistake(text: str, known: tuple[str, ...], complaint: str) -> str:
    """A name that is none, else what CEL complains about."""
    wrong = next((name for name in NAME.findall(text) if name not in known and name not in WORDS), None)
    if wrong is None:
        return (
            f"is not a CEL expression: {' '.join(NOISE.sub('', complaint).split())}; expected something like {EXAMPLE}"
        )
    own = [name for name in known if "." not in name]
    return f"names {wrong!r}, which is no figure{nearest(wrong, known)}; figures: {', '.join(own)}, and baseline.NAME of each"
