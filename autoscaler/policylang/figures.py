"""Expressions over the figures of a replay, for the gate `--fail-if`: CEL text to a predicate.

Separate from conditions because the names are those of a score, not of a cluster; the language and its errors are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cel_expr_python import cel

from autoscaler.errors import UsageError
from autoscaler.policylang.conditions import Predicate

EXAMPLE = "cost > 1.02 * baseline.cost || unserved_fraction > baseline.unserved_fraction"


def compile_figures(text: str, names: Iterable[str]) -> Callable[[Mapping[str, float]], bool]:
    """The predicate of `text` over `names` (numbers all of them, `baseline.cost` included). Raises UsageError."""
    known = tuple(names)
    environment = cel.NewEnv(variables=dict.fromkeys(known, cel.Type.DOUBLE))
    try:
        expression = environment.compile(text)
    except Exception as error:  # noqa: BLE001  the C++ side raises RuntimeError and more
        complaint = " ".join(str(error).split())
        raise UsageError(
            f"--fail-if {text!r} is not a CEL expression over the figures: {complaint}. Numbers need a decimal point (10.0); "
            f"names: {', '.join(known)}"
        ) from None
    if expression.return_type() != cel.Type.BOOL:
        raise UsageError(f"--fail-if {text!r} is not true or false; expected something like {EXAMPLE}")
    predicate = Predicate(text, expression)

    def holds(figures: Mapping[str, float]) -> bool:
        try:
            return predicate({name: float(figures[name]) for name in known})
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"--fail-if {text!r} cannot be evaluated: {error}") from None

    return holds
