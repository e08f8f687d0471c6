"""What is told of a session: the table of trials that none beats, what the folds say, the winner as a policy file.

Separate so that figures are told in one way wherever they are told. Nothing is scored or chosen here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.tune.choice import Tried, unbeaten
from autoscaler.tune.scoring import Ground, Score
from autoscaler.tune.session import Session
from autoscaler.tune.study import Tuned

WIDTH = 118  # of a comment line
NOT_WORSE = 1e-9  # sums of floats may differ in the last digit


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A session and all that came of it. `judged`: per fold the policy as it was and the winner, on what came later."""

    session: Session
    ground: Ground
    done: Sequence[Tuned]
    judged: Sequence[tuple[Score, Score]]

    @property
    def last(self) -> Tuned:
        """The fold that had most to tune on: its winner is what is handed out."""
        return self.done[-1]

    @property
    def front(self) -> tuple[Tried, ...]:
        return unbeaten(self.last.tried)

    def is_as_it_was(self, trial: Tried) -> bool:
        return all(trial.values[d.name] == d.number.value for d in self.session.space)

    @property
    def held_out(self) -> tuple[Score, Score]:
        """The policy as it was and as it was tuned, over all stretches on which it was only judged."""
        return _sum([before for before, _ in self.judged]), _sum([after for _, after in self.judged])

    @property
    def better(self) -> bool:
        """Whether tuning helped where it was only judged: cheaper, and serving as much as is asked for or as before."""
        before, after = self.held_out
        most = max(self.session.most_unserved_fraction, before.unserved_fraction)
        return after.cost < before.cost and after.unserved_fraction <= most + NOT_WORSE


def document(evidence: Evidence) -> dict[str, Any]:
    """As JSON-able values; the same session gives the same bytes."""
    session = evidence.session
    return {
        "policy": session.written.name,
        "seed": session.seed,
        "identity": dict(session.identity),
        "space": [
            {"name": d.name, "now": d.number.value, "low": d.low, "high": d.high, "doc": d.number.doc}
            for d in session.space
        ],
        "folds": [_fold(evidence, number) for number in range(len(evidence.done))],
        "front": [_trial(trial) for trial in evidence.front],
        "winner": _trial(evidence.last.winner),
        "better": evidence.better,
    }


COLUMNS = (">trial", ">cost", ">unserved", ">moves", "with")


def rows(evidence: Evidence) -> Iterator[list[str]]:
    """The trials that none beats, cheapest first; * is the winner."""
    for trial in sorted(evidence.front, key=lambda one: one.figures):
        mark = "*" if trial.number == evidence.last.winner.number else ""
        told = [
            f"{mark}{trial.number}",
            f"{trial.cost:.2f}",
            f"{trial.unserved_fraction:.4%}",
            f"{trial.migrations:.0f}",
        ]
        values = [f"{short(evidence, d.name)} {d.shown(trial.values[d.name])}" for d in evidence.session.space]
        yield [*told, "the policy as it was" if evidence.is_as_it_was(trial) else ", ".join(values)]


def short(evidence: Evidence, name: str) -> str:
    """As much of the end of a name as tells it from the others."""
    names = [dimension.name for dimension in evidence.session.space]
    parts = name.split(".")
    ends = [".".join(parts[-count:]) for count in range(1, len(parts))]
    return next((end for end in ends if sum(other.endswith(f".{end}") for other in names) == 1), name)


def folds_told(evidence: Evidence) -> Iterator[str]:
    """A line per fold, and one for all: what the policy came to before and after tuning on load that tuning never saw."""
    trace = evidence.ground.traces[0]
    yield "judged on what came after all that was tuned on (as it was -> tuned):"
    for tuned, (before, after) in zip(evidence.done, evidence.judged, strict=True):
        begin, end = tuned.fold.before.hours(trace)[1], tuned.fold.after.hours(trace)[1]
        what = f"fold {tuned.fold.number}, tuned on 0-{begin:.4g} h ({tuned.fold.trials} trials), judged on {begin:.4g}-{end:.4g} h"
        yield f"  {what}: {_change(before, after)}"
    yield f"  all: {_change(*evidence.held_out)}"


def verdict(evidence: Evidence) -> str:
    before, after = evidence.held_out
    if not evidence.better:
        return "not better than the policy as it was where it was only judged: keep that one, or tune on more load"
    return f"{1 - after.cost / before.cost:.1%} cheaper where it was only judged"


def policy_file(evidence: Evidence, version: str) -> str:
    """The winner, with what speaks for it as a comment before it. `flexcapsule check` reads it like any other."""
    session, winner = evidence.session, evidence.last.winner
    traces = "; ".join(
        f"{trace.name}, {trace.steps * trace.step_s / 3600:.4g} h in steps of {trace.step_s:g} s"
        for trace in evidence.ground.traces
    )
    searched = "; ".join(
        f"{d.name} {d.shown(winner.values[d.name])} (was {d.shown(d.number.value)}, searched {d.shown(d.low)}..{d.shown(d.high)})"
        for d in session.space
    )
    trials = sum(tuned.fold.trials for tuned in evidence.done)
    made = f"Made of policy {session.written.name} by `flexcapsule tune` (FlexCapsule {version})"
    said = [
        f"{made}: {trials} trials over {len(evidence.done)} folds, seed {session.seed}.",
        f"Load: {traces}. World: {session.identity['world'].rpartition(' ')[0]}.",
        f"Rule: the cheapest with at most {session.most_unserved_fraction:.4%} unserved where it was tuned.",
        f"Tuned: {searched}.",
        *folds_told(evidence),
        f"The last fold's winner is below. Verdict: {verdict(evidence)}.",
    ]
    comment = "\n".join(line for text in said for line in _comment(text))
    return f"{comment}\n{session.text(winner.values)}"


def _comment(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.lstrip(), WIDTH, initial_indent=f"# {indent}", subsequent_indent=f"# {indent}  ", break_long_words=False
    )


def _change(before: Score, after: Score) -> str:
    cost = f"cost {before.cost:.2f} -> {after.cost:.2f}"
    unserved = f"unserved {before.unserved_fraction:.4%} -> {after.unserved_fraction:.4%}"
    return f"{cost}, {unserved}, moves {before.migrations:.0f} -> {after.migrations:.0f}"


def _sum(scores: Sequence[Score]) -> Score:
    return Score(
        sum(s.cost for s in scores),
        sum(s.demanded_core_s for s in scores),
        sum(s.unserved_core_s for s in scores),
        sum(s.migrations for s in scores),
    )


def _fold(evidence: Evidence, place: int) -> dict[str, Any]:
    tuned, (before, after) = evidence.done[place], evidence.judged[place]
    return {
        "fold": tuned.fold.number,
        "trials": tuned.fold.trials,
        "tuned_on_blocks": [tuned.fold.before.first, tuned.fold.before.last, tuned.fold.before.blocks],
        "judged_on_blocks": [tuned.fold.after.first, tuned.fold.after.last, tuned.fold.after.blocks],
        "winner": _trial(tuned.winner),
        "as_it_was": _figures(before),
        "tuned": _figures(after),
        "tried": [_trial(trial) for trial in tuned.tried],
    }


def _figures(score: Score) -> dict[str, float]:
    return {"cost": score.cost, "unserved_fraction": score.unserved_fraction, "migrations": score.migrations}


def _trial(trial: Tried) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "cost": trial.cost,
        "unserved_fraction": trial.unserved_fraction,
        "migrations": trial.migrations,
        "values": dict(trial.values),
    }
