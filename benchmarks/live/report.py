"""What came of a run, as one JSON document and one HTML page: the bill beside a fixed cluster's, requests, actions, pauses.

Figures are computed here and nowhere else; page.py only draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.live.client import Answered
from benchmarks.live.shape import Shape
from benchmarks.live.story import Story

ACTIONS = ("scale_out", "scale_in", "scale_up", "scale_down", "consolidate", "separate")
HOUR_S = 3600.0
BUCKET_S = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """`began`: the wall clock's seconds when the load began, which all times of the report count from."""

    began: float
    ended: float
    shape: Shape
    answered: Sequence[Answered]
    story: Story
    prices: Mapping[str, float]
    notes: Sequence[str] = ()


def document(run: Run) -> dict[str, Any]:
    """Everything that the page shows."""
    actions = run.story.actions
    return {
        "seconds": round(run.ended - run.began, 1),
        "actions": {name: actions.get(name, 0) for name in ACTIONS},
        "missing_actions": [name for name in ACTIONS if not actions.get(name)],
        "cloud_vms": {"created": run.story.created, "released": run.story.released},
        "cost": cost(run),
        "requests": {"all": requests(run.answered)}
        | {name: requests([a for a in run.answered if a.service == name]) for name in sorted(run.shape.services)},
        "failures": [asdict(each) for each in run.answered if each.failure][:100],
        "migrations": migrations(run),
        "moved": [asdict(each) | {"at": round(each.at - run.began, 1)} for each in run.story.moved],
        "granted": [
            asdict(each) | {"at": round(each.at - run.began, 1), "ended_at": _since(run, each.ended_at)}
            for each in run.story.done
        ],
        "refusals": run.story.refusals,
        "ticks": [asdict(tick) | {"at": round(tick.at - run.began, 1)} for tick in _during(run)],
        "served": served(run),
        "notes": list(run.notes),
    }


def cost(run: Run) -> dict[str, float]:
    """What was paid while the load ran, and what a cluster that always had the peak's cloud VMs would have been paid."""
    ticks = _during(run)
    paid = sum(left.price_per_hour * (right.at - left.at) for left, right in pairwise(ticks)) / HOUR_S
    if ticks:
        paid += ticks[-1].price_per_hour * max(run.ended - ticks[-1].at, 0.0) / HOUR_S
        paid += ticks[0].price_per_hour * max(ticks[0].at - run.began, 0.0) / HOUR_S
    peak = max((tick.price_per_hour for tick in ticks), default=0.0)
    fixed = peak * (run.ended - run.began) / HOUR_S
    return {
        "paid": paid,
        "peak_price_per_hour": peak,
        "fixed_cluster": fixed,
        "saved_fraction": 1.0 - paid / fixed if fixed else 0.0,
    }


def requests(answered: Sequence[Answered]) -> dict[str, float]:
    took = np.array([each.took_s for each in answered] or [0.0])
    p50, p99 = (float(np.percentile(took, share)) for share in (50, 99))
    failed = sum(bool(each.failure) for each in answered)
    return {"sent": len(answered), "failed": failed, "p50_s": p50, "p99_s": p99, "longest_s": float(took.max())}


def migrations(run: Run) -> dict[str, float]:
    done = [each for each in run.story.moved if each.outcome == "done"]
    pauses = np.array([each.downtime_s for each in done] or [0.0])
    totals = np.array([each.total_s for each in done] or [0.0])
    return {
        "done": len(done),
        "failed": len(run.story.moved) - len(done),
        "downtime_median_s": float(np.median(pauses)),
        "downtime_longest_s": float(pauses.max()),
        "total_median_s": float(np.median(totals)),
        "sent_bytes": sum(each.sent_bytes for each in done),
    }


def served(run: Run) -> list[dict[str, float]]:
    """Per piece of time: requests a second that were asked for and answered, the longest wait, those that failed."""
    count = int((run.ended - run.began) // BUCKET_S) + 1
    pieces: list[list[Answered]] = [[] for _ in range(count)]
    for each in run.answered:
        pieces[min(max(int(each.at_s // BUCKET_S), 0), count - 1)].append(each)
    return [
        {
            "at": n * BUCKET_S,
            "wanted_cores": sum(run.shape.cores(name, n * BUCKET_S) for name in run.shape.services),
            "per_s": len(piece) / BUCKET_S,
            "failed": sum(bool(each.failure) for each in piece),
            "longest_s": max((each.took_s for each in piece), default=0.0),
        }
        for n, piece in enumerate(pieces)
    ]


def _during(run: Run) -> list[Any]:
    return [tick for tick in run.story.ticks if run.began <= tick.at <= run.ended]


def _since(run: Run, at: float | None) -> float | None:
    return None if at is None else round(at - run.began, 1)
