"""How a hyper-parameter is declared: a dataclass field that carries its documentation and its allowed range.

Separate so that every strategy says it in one line, the same way. The range is checked where a policy is read (policylang)
and where a strategy is built (registry); nothing is computed here.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

Statistic = Literal["mean", "max"]

SAMPLES_DOC = "how many of the newest samples a load is taken over; more is calmer and later"
STATISTIC_DOC = "`mean` of these samples, or their `max` (sees bursts, keeps more room)"
OVERCOMMIT_DOC = "allocated cores per core of a cloud VM that a placement may reach; at most limits.cpu_overcommit"


def fraction(default: float | None, doc: str) -> float:
    """A share between 0 and 1, written `80%` or `0.8` in a policy; None as default: may be left out."""
    return field(default=default, metadata={"doc": doc, "ge": 0.0, "le": 1.0})  # type: ignore[return-value]


def count(default: int, doc: str, most: int = 1000) -> int:
    """A whole number of at least 1."""
    return field(default=default, metadata={"doc": doc, "ge": 1, "le": most})


def ratio(default: float, doc: str) -> float:
    """A number of at least 1."""
    return field(default=default, metadata={"doc": doc, "ge": 1.0, "le": 100.0})
