"""The gate for policies in CI: is the new one worse than the old one, by an expression over both scores?

Separate so that a pipeline's question has one meaning. It judges scores; it runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoscaler.errors import UsageError
from autoscaler.policylang.figures import compile_figures
from autoscaler.replay.outcome import Outcome

BASELINE = "baseline."
SHORT = {"unserved": "unserved_fraction"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One comparison: whether the expression held (then it fails), and the figures it named."""

    outcome: Outcome
    baseline: Outcome
    failed: bool
    figures: tuple[tuple[str, float], ...]


def check(expression: str, figures: Iterable[str]) -> None:
    """Raises UsageError where `expression` is none over a score of these figures: before anything is replayed."""
    score = dict.fromkeys(figures, 0.0)
    nothing = Outcome("", "", 0, score)
    compile_figures(expression, _figures(nothing, nothing))


def judge(outcomes: Sequence[Outcome], baselines: Sequence[Outcome], expression: str) -> tuple[Verdict, ...]:
    """Each outcome against the baseline of the same trace and seed. Raises UsageError for a wrong expression."""
    old = {(baseline.trace, baseline.seed): baseline for baseline in baselines}
    verdicts = []
    for outcome in outcomes:
        baseline = old.get((outcome.trace, outcome.seed))
        if baseline is None:
            raise UsageError(f"no baseline was replayed on trace {outcome.trace!r}")
        figures = _figures(outcome, baseline)
        failed = compile_figures(expression, figures)(figures)
        named = tuple((name, value) for name, value in figures.items() if _names(expression, name))
        verdicts.append(Verdict(outcome, baseline, failed, named))
    return tuple(verdicts)


def _figures(outcome: Outcome, baseline: Outcome) -> dict[str, float]:
    mine = {**outcome.score, **{short: outcome.score[name] for short, name in SHORT.items()}}
    theirs = {**baseline.score, **{short: baseline.score[name] for short, name in SHORT.items()}}
    return {**mine, **{BASELINE + name: value for name, value in theirs.items()}}


def _names(expression: str, name: str) -> bool:
    words = "".join(sign if sign.isalnum() or sign in "._" else " " for sign in expression).split()
    return name in words
