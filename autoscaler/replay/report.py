"""The report of replays: one HTML page that needs nothing else. Data is thinned out here, drawn by the page itself.

Separate from the page so that what is shown can be tested as values. Nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from autoscaler.replay.baselines import BOUND
from autoscaler.replay.outcome import Happening, Outcome, Timeline

PLACE = "/*OUTCOMES*/"
POINTS = 1200  # of a curve: more than a screen has
MARKS = 400  # of actions; those close in time and alike are shown as one
PLACES = 80  # rows of the placement
DIGITS = 6


def page(outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    template = files("autoscaler.replay").joinpath("page/report.html").read_text(encoding="utf-8")
    content = json.dumps([shown(outcome) for outcome in outcomes], separators=(",", ":"), allow_nan=False)
    return template.replace(PLACE, content.replace("<", "\\u003c"))


def shown(outcome: Outcome) -> dict[str, Any]:
    """What the page knows of one outcome."""
    line = outcome.timeline
    return {
        **outcome.document(),
        "kind": "bound" if outcome.policy == BOUND else "run",
        "complete": outcome.complete,
        "line": _thinned(line) if len(line.at) > 1 else None,
        "film": outcome.film.document() if outcome.film is not None and outcome.film.frames else None,
    }


def _thinned(line: Timeline) -> Mapping[str, Any]:
    size = -(-len(line.at) // POINTS)
    names, columns, hidden = _placement(line)
    every = max(1, len(line.at) // max(1, len(line.placement)))
    return {
        "at": _pieces(line.at, size, "first"),
        "demand_cores": _pieces(line.demand_cores, size, "mean"),
        "capacity_cores": _pieces(line.capacity_cores, size, "mean"),
        "unserved_cores": _pieces(line.unserved_cores, size, "mean"),
        "price_per_hour": _pieces(line.price_per_hour, size, "mean"),
        "happenings": _marks(line.happenings, line.at[-1] - line.at[0]),
        "places": names,
        "hosted": columns,
        "placed_at": line.at[::every][: len(columns)],
        "more_places": hidden,
    }


def _pieces(values: Sequence[float], size: int, how: str) -> list[float]:
    """Every `size` values as one."""
    array = np.array(values, dtype=np.float64)
    starts = np.arange(0, len(array), size)
    if how == "first":
        return [float(value) for value in array[starts]]
    counts = np.diff(np.append(starts, len(array)))
    return [float(f"{value:.{DIGITS}g}") for value in np.add.reduceat(array, starts) / counts]


def _marks(happenings: Sequence[Happening], span_s: float) -> list[dict[str, Any]]:
    """One mark for alike actions within a `MARKS`-th of the time; it tells of the first and how many more there are."""
    marks: dict[tuple[str, int], dict[str, Any]] = {}
    for happening in happenings:
        key = (happening.what, int(happening.at // max(span_s / MARKS, 1.0)))
        if key in marks:
            marks[key]["more"] += 1
            continue
        marks[key] = {
            "at": happening.at,
            "what": happening.what,
            "about": happening.about,
            "reason": happening.reason,
            "more": 0,
        }
    return list(marks.values())


def _placement(line: Timeline) -> tuple[list[str], list[list[int]], int]:
    """Cloud VMs by first appearance; app VMs on each over time, -1 while it is not there; how many are left out."""
    names = list(dict.fromkeys(name for hosted in line.placement for name in hosted))
    kept = names[:PLACES]
    return kept, [[int(hosted.get(name, -1)) for name in kept] for hosted in line.placement], len(names) - len(kept)
