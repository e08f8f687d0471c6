"""Whether a plan is worth its disruption: the one rule by which `optimal` carries a saving plan out or leaves all as it is.

Separate because it is a promise (docs/objective.md) that properties are tested of. Money over the horizon in, yes or no out.
"""

from __future__ import annotations


def pays(saved: float, moving: float, bill: float, hurdle: float, least_saving_fraction: float) -> bool:
    """`saved`: what is saved after `moving` is paid; `bill`: what staying costs. What is saved before must be `hurdle` times the
    moving, and after it a share of the bill. So an approved plan makes the whole strictly cheaper: no row of them comes round."""
    return saved > 0 and saved >= (hurdle - 1) * moving and saved >= least_saving_fraction * bill
