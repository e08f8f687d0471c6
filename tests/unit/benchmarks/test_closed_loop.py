"""What benchmarks of whole stretches count, and what past they give a controller to learn from."""

from __future__ import annotations

import numpy as np

from autoscaler.core.past import STEP_S
from autoscaler.sim.traces import Repairs
from autoscaler.sim.traces.trace import service_trace
from benchmarks.closed_loop import Moves, past_of


def test_the_most_moves_of_one_app_vm_within_a_time() -> None:
    moves = Moves()
    moves.moments |= {"a": [0.0, 50.0, 100.0, 400.0], "b": [0.0, 90.0]}
    assert (moves.most(100.0), moves.most(101.0), moves.most(float("inf"))) == (2, 3, 4)
    assert Moves().most(100.0) == 0


def test_the_past_is_the_most_of_each_five_minutes_before() -> None:
    load = np.arange(1.0, 41.0)  # a value a minute, from two minutes past on
    trace = service_trace("web", "made", 120.0, 60.0, load, "requests", Repairs())
    past = past_of(trace, 20, peak_cores=40.0)
    assert past.cores.tolist() == [[8.0, 13.0, 18.0]]  # five each, from minute five on; two are left over
    assert past.begins_at == STEP_S
    assert past.services == ("web",)
