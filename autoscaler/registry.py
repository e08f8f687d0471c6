"""Strategy names: the built-ins on this page, then third parties' by entry point (group `flexcapsule.strategies`).

Separate because strategies know nothing of names, and policies nothing of classes. A third-party package is imported only
when its strategy is asked for; nothing here knows what any strategy does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args, get_type_hints

from autoscaler.core.policy import StrategySpec
from autoscaler.errors import UsageError
from autoscaler.ports import Strategy
from autoscaler.strategies.composite import Composite
from autoscaler.strategies.consolidate import Consolidation
from autoscaler.strategies.hold import Hold
from autoscaler.strategies.optimal import Optimal
from autoscaler.strategies.planetlab import PlanetLab
from autoscaler.strategies.steady import Steady
from autoscaler.strategies.target_tracking import TargetTracking
from autoscaler.strategies.threshold import Threshold

GROUP = "flexcapsule.strategies"

BUILT_IN: Mapping[str, type] = {
    "hold": Hold,
    "threshold": Threshold,
    "target_tracking": TargetTracking,
    "consolidate": Consolidation,
    "composite": Composite,
    "optimal": Optimal,
    "planetlab": PlanetLab,
    "steady": Steady,
}


def names() -> tuple[str, ...]:
    """All strategies that a policy may name: the built-ins, then third parties' by name."""
    return (*BUILT_IN, *sorted(_announced()))


def strategy_type(name: str) -> type:
    """The frozen dataclass behind `name`. Raises UsageError for an unknown name or a third party's that cannot be used."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    announced = _announced()
    if name not in announced:
        raise UsageError(f"there is no strategy {name!r}{_nearest(name, names())}; known: {', '.join(names())}")
    return _loaded(announced[name])


def strategy_types() -> Mapping[str, type]:
    """Name -> class of all that can be used. One that cannot be imported is left out, and named when it is asked for."""
    return dict(_usable())


def build(spec: StrategySpec) -> Strategy:
    """The strategy that `spec` describes, nested ones included. Raises UsageError naming the parameter that is wrong."""
    kind = strategy_type(spec.name)
    allowed = {field.name: field for field in fields(kind)}
    hints = get_type_hints(kind)
    for name in spec.parameters:
        if name not in allowed:
            raise UsageError(f"strategy {spec.name} has no parameter {name!r}{_nearest(name, tuple(allowed))}")
    missing = [
        f.name
        for f in allowed.values()
        if f.default is MISSING and f.default_factory is MISSING and f.name not in spec.parameters
    ]
    if missing:
        raise UsageError(f"strategy {spec.name} needs its parameter {missing[0]!r}")
    values = {name: _value(value, hints[name]) for name, value in spec.parameters.items()}
    try:
        strategy: Strategy = kind(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"strategy {spec.name}: {error}") from error
    return strategy


def holds_strategy(hint: Any) -> bool:
    """Whether a field annotated `hint` holds a nested strategy."""
    return hint is Strategy or Strategy in get_args(hint)


def _value(value: Any, hint: Any) -> Any:
    if holds_strategy(hint) and isinstance(value, StrategySpec):
        return build(value)
    if holds_strategy(hint) and isinstance(value, Mapping):
        parameters = dict(value)
        if "name" not in parameters:
            raise UsageError(f"a nested strategy needs a name: one of {', '.join(names())}")
        return build(StrategySpec(str(parameters.pop("name")), parameters))
    return value


def _announced() -> Mapping[str, EntryPoint]:
    """Third parties' entry points. A built-in name cannot be taken; of two with one name the first by value counts."""
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value), reverse=True)
    return {point.name: point for point in found if point.name not in BUILT_IN}


def _loaded(point: EntryPoint) -> type:
    try:
        kind = point.load()
    except Exception as error:  # a third party's module may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"strategy {point.name} ({point.value}) cannot be imported: {reason}") from error
    if not (isinstance(kind, type) and is_dataclass(kind) and hasattr(kind, "propose")):
        raise UsageError(f"strategy {point.name} ({point.value}) is not a dataclass with a method propose(snapshot)")
    return kind


def _usable() -> Iterator[tuple[str, type]]:
    yield from BUILT_IN.items()
    for name in sorted(_announced()):
        try:
            yield name, strategy_type(name)
        except UsageError:
            continue


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""
