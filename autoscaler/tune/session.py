"""What is asked of a session, and by what a kept one is known again. Values only; nothing is tried here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from autoscaler.errors import PolicyError, UsageError
from autoscaler.policylang.numbers import Written
from autoscaler.sim.traces import Trace
from autoscaler.tune.scoring import Ground, policy_of
from autoscaler.tune.space import Dimension

TUNED = "-tuned"


@dataclass(frozen=True, slots=True)
class Session:
    """What is asked for. `identity`: by name, all that decides which trials there are, so that a kept session goes on only
    as itself. `ahead`: trials under way at once at most."""

    written: Written
    space: tuple[Dimension, ...]
    seed: int
    trials: int
    folds: int
    ahead: int
    most_unserved_fraction: float
    identity: Mapping[str, str]

    def rounded(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """As somebody would write them: what is scored is what is written down."""
        return {dimension.name: dimension.rounded(values[dimension.name]) for dimension in self.space}

    def text(self, values: Mapping[str, float]) -> str:
        """The policy with these numbers, under a name of its own: journals and metrics tell it from what it was made of."""
        rounded, name = self.rounded(values), self.written.name.removesuffix(TUNED) + TUNED
        return self.written.text({dimension.steps: rounded[dimension.name] for dimension in self.space}, name)

    def refused(self, values: Mapping[str, float]) -> str:
        """Why numbers do not go together (a floor above its ceiling); empty: they do."""
        try:
            policy_of(self.text(values))
        except (PolicyError, UsageError) as error:
            return str(error)
        return ""


def identity(
    written: Written,
    space: Sequence[Dimension],
    ground: Ground,
    asked: tuple[int, int, int, str],
    world: str | None,
) -> dict[str, str]:
    """By name, all that decides which trials there are: what a kept session must share to go on."""
    folds_, seed, ahead, unserved = asked
    return {
        "policy": f"{written.name} {_digest(written.text({}))}",
        "space": ", ".join(f"{d.name}={d.shown(d.low)}..{d.shown(d.high)}" for d in space),
        "load": ", ".join(f"{trace.name} {_digest(_loaded(trace))}" for trace in ground.traces),
        "folds": str(folds_),
        "seed": str(seed),
        "ahead": str(ahead),
        "unserved": unserved,
        "world": f"{world or 'made to fit the trace'} {_digest(repr(ground.setting))}",
        "version": f"FlexCapsule {version('flexcapsule')}, optuna {version('optuna')}",
    }


def _loaded(trace: Trace) -> str:
    """All of a trace that a replay reads."""
    arrays = (trace.cores, trace.allocated_cores, trace.allocated_bytes, trace.memory_bytes)
    content = hashlib.sha256()
    for array in arrays:
        content.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    return f"{trace.kind} {trace.start_at} {trace.step_s} {trace.subjects} {content.hexdigest()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
