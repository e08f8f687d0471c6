"""Nothing is judged on what it was tuned on: blocks of time, earlier ones to tune on, the next one to judge on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import UsageError
from autoscaler.sim.traces.trace import Repairs, service_trace
from autoscaler.tune.folds import folds, refuse_short


def load(steps):
    return service_trace("load", "made", 0.0, 60.0, np.arange(steps, dtype=float), "cores", Repairs())


@given(st.integers(1, 8), st.integers(8, 90), st.integers(9, 400))
def test_every_fold_is_judged_on_steps_right_after_all_it_was_tuned_on(count, trials, steps):
    trace, end = load(steps), 0
    made = folds(count, trials)
    for fold in made:
        before, after = fold.before.of(trace), fold.after.of(trace)
        assert before.cores[0] == 0
        assert before.cores[-1] + 1 == after.cores[0]
        assert after.start_at == before.until
        assert after.cores[0] >= end  # folds are judged on different stretches
        end = after.cores[-1] + 1
    assert end == steps
    assert sum(fold.trials for fold in made) == trials
    assert max(f.trials for f in made) - min(f.trials for f in made) <= 1
    assert made[-1].trials == max(f.trials for f in made)


def test_a_fold_without_a_trial_is_refused():
    with pytest.raises(UsageError, match="more trials, or fewer --folds"):
        folds(4, 3)


def test_a_trace_that_is_too_short_is_refused():
    refuse_short([load(40)], 3, 60.0)
    with pytest.raises(UsageError, match="each has 5 decisions"):
        refuse_short([load(20)], 3, 60.0)
