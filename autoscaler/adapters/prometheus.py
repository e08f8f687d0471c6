"""Reading recorded metrics from a Prometheus server: range queries, in pieces that the server accepts.

Separate because it is the only module that speaks Prometheus' HTTP API as a client (`/api/v1/query_range`). It gives series of
numbers by a name made of labels; what they mean is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from autoscaler.core.snapshot import FloatArray
from autoscaler.errors import UsageError

MOST_POINTS = 11_000  # of one series in one answer: the server's limit
TIMEOUT_S = 30.0
API = "/api/v1/query_range"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """at: (samples,) seconds since the epoch; values: (samples,)."""

    at: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Range:
    """`start_at` to `until`, both included, a sample every `step_s`."""

    start_at: float
    until: float
    step_s: float


def query_range(
    url: str, query: str, labels: Sequence[str], when: Range, transport: httpx.BaseTransport | None = None
) -> Mapping[str, Series]:
    """All series that `query` gives, named by the values of `labels` (joined by `/`), sorted by name.

    `transport`: how to reach it, None = by HTTP. Raises UsageError where the server cannot be asked, refuses the query, or two series have the same name.
    """
    if when.step_s <= 0 or when.until <= when.start_at:
        raise UsageError(
            f"the range from {when.start_at:.0f} until {when.until:.0f} in steps of {when.step_s:g} s is empty"
        )
    parts: dict[str, list[tuple[float, float]]] = {}
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False, transport=transport) as client:
        for start_at, until in _pieces(when):
            answer = _ask(client, {"query": query, "start": start_at, "end": until, "step": when.step_s})
            for name, points in _named(answer, labels, query).items():
                parts.setdefault(name, []).extend(points)
    return {name: _series(parts[name]) for name in sorted(parts)}


def _pieces(when: Range) -> list[tuple[float, float]]:
    """Ranges of at most MOST_POINTS samples, none of them twice."""
    span_s = (MOST_POINTS - 1) * when.step_s
    pieces, start_at = [], when.start_at
    while start_at <= when.until:
        pieces.append((start_at, min(when.until, start_at + span_s)))
        start_at += span_s + when.step_s
    return pieces


def _ask(client: httpx.Client, parameters: Mapping[str, Any]) -> Any:
    where = f"Prometheus at {client.base_url}"
    try:
        answer = client.post(API, data=dict(parameters))
        content = answer.json()
    except httpx.HTTPError as error:
        raise UsageError(f"{where} cannot be asked: {error or type(error).__name__}; check the URL") from error
    except ValueError as error:
        raise UsageError(
            f"{where} does not answer like Prometheus (status {answer.status_code}); check the URL"
        ) from error
    if not isinstance(content, dict) or content.get("status") != "success":
        told = content.get("error", f"status {answer.status_code}") if isinstance(content, dict) else "no object"
        raise UsageError(f"{where} refuses the query: {told}")
    return content["data"]["result"]


def _named(result: Any, labels: Sequence[str], query: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for series in result:
        missing = [label for label in labels if label not in series["metric"]]
        if missing:
            known = ", ".join(sorted(series["metric"])) or "none"
            raise UsageError(f"a series of {query!r} has no label {missing[0]!r}; its labels: {known}")
        name = "/".join(series["metric"][label] for label in labels)
        if name in found:
            raise UsageError(f"two series of {query!r} are called {name!r}; name more labels, or sum in the query")
        found[name] = [(float(at), float(value)) for at, value in series["values"]]
    return found


def _series(points: list[tuple[float, float]]) -> Series:
    at, values = np.array(points, dtype=np.float64).T
    return Series(at, values)
