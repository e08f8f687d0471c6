"""The covering knapsack: who together amounts to enough for the least cost. Numbers in, positions out.

Separate because several turns ask it of different amounts and costs. No app VM, no host may be here.
"""

from __future__ import annotations

from collections.abc import Sequence

ROUNDING = 1e-9


def cheapest_cover(amounts: Sequence[float], costs: Sequence[float], enough: float) -> list[int]:
    """Positions whose `amounts` (positive) add up to `enough` for the least of `costs`; all of them where that is too little.

    By its two classic answers: the cheapest that suffices alone, or the best amount per cost until it is enough, less whoever
    turns out not to be needed; whichever costs less.
    """
    greedy, reached = list[int](), 0.0
    for i in sorted(range(len(amounts)), key=lambda i: (costs[i] / amounts[i], i)):
        if reached >= enough - ROUNDING:
            break
        greedy.append(i)
        reached += amounts[i]
    for i in sorted(greedy, key=lambda i: (-costs[i], i)):
        if reached - amounts[i] >= enough - ROUNDING:
            greedy.remove(i)
            reached -= amounts[i]
    alone = min(
        (i for i in range(len(amounts)) if amounts[i] >= enough - ROUNDING), key=lambda i: (costs[i], i), default=None
    )
    if alone is not None and costs[alone] <= sum(costs[i] for i in greedy):
        return [alone]
    return greedy
