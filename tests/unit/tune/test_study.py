"""The same seed gives the same trials, whoever does the work, in whatever order it gets done, interrupted or not."""

from collections import deque

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler import registry
from autoscaler.config import ready_policies
from autoscaler.errors import UsageError
from autoscaler.policylang.numbers import read_numbers
from autoscaler.tune.keeping import kept
from autoscaler.tune.scoring import Score
from autoscaler.tune.session import Session
from autoscaler.tune.space import named
from autoscaler.tune.study import judged, tune

pytest.importorskip("optuna", reason="needs the group tune")
WRITTEN = read_numbers(ready_policies()["balanced"].read_text(encoding="utf-8"), "balanced", registry.strategy_types())
SPACE = named(
    WRITTEN, ["cpu_target=30%..90%", "cpu_fill=50%..80%", "placement.cpu_ceiling=60%..90%", "limits.worth_it.k=1..20"]
)


def session(trials=12, folds=2, seed=5, ahead=3, **identity):
    return Session(WRITTEN, SPACE, seed, trials, folds, ahead, 0.001, {"seed": str(seed), **identity})


class Hands:
    """Scores by a formula. `ends_after`: tasks it takes before Ctrl-C; `early`: works when asked, else when waited for."""

    count = 1

    def __init__(self, ends_after=10_000, early=False):
        self.left, self.early, self.tasks = ends_after, early, []

    def __call__(self, task):
        self.tasks.append(task)
        if not self.early:
            return lambda: self.score(task)
        found = deque([self.score(task)])
        return found.popleft

    def score(self, task):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        strategy = yaml.safe_load(task.text)["strategy"]
        target, fill = (
            float(share.rstrip("%")) / 100
            for share in (strategy["replicas"]["cpu_target"], strategy["placement"]["cpu_fill"])
        )
        return Score(10 / target + 3 * fill, 100.0, max(0.0, target - 0.7), 10 * fill * task.stretch.last)


def found(asked, hands, storage=None):
    with kept(storage) as trials:
        return tune(asked, hands, trials, lambda _fold, _done: None)


def test_trials_are_what_was_asked_for_and_the_first_is_the_policy_as_it_is():
    done = found(session(), Hands())
    assert [len(tuned.tried) for tuned in done] == [6, 6]
    assert all(tuned.tried[0].values == {d.name: d.number.value for d in SPACE} for tuned in done)


def test_a_fold_begins_with_what_was_best_before_it_and_knows_nothing_later():
    hands = Hands()
    done = found(session(40), hands)
    assert done[0].winner.number > 0
    assert done[1].tried[1].values == done[0].winner.values
    last = [task.stretch.last for task in hands.tasks]
    assert last == [1] * 20 + [2] * 20


def test_another_seed_tries_others():
    assert found(session(), Hands()) != found(session(seed=6), Hands())


def test_numbers_that_do_not_go_together_are_no_trial():
    """A cloud VM that is filled above its ceiling would be emptied again."""
    done = found(session(trials=30, folds=1), Hands())
    (tuned,) = done
    assert len(tuned.tried) == 30
    assert all(
        t.values["strategy.placement.cpu_fill"] <= t.values["strategy.placement.cpu_ceiling"] for t in tuned.tried
    )


def test_it_gets_better_than_by_chance():
    tuned = found(session(trials=40, folds=1), Hands())[0]
    assert tuned.winner.cost < 0.95 * tuned.tried[0].cost
    assert tuned.winner.unserved_fraction <= 0.001


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 14), max_size=3), st.integers(1, 7), st.booleans())
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(tmp_path_factory, ends, ahead, early):
    path = tmp_path_factory.mktemp("kept") / "trials"
    asked = session(ahead=ahead)
    for end in ends:
        try:
            found(asked, Hands(end, early), path)
        except KeyboardInterrupt:
            continue
    last = Hands(early=not early)
    assert found(asked, last, path) == found(asked, Hands())


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_killed_at_any_byte_of_what_is_kept_it_ends_as_if_it_had_not_been(tmp_path_factory, data):
    path, asked = tmp_path_factory.mktemp("kept") / "trials", session(8)
    whole = found(asked, Hands(), path)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert found(asked, Hands(), path) == whole


def test_what_is_done_is_not_done_again(tmp_path):
    path, again = tmp_path / "trials", Hands()
    done = found(session(), Hands(), path)
    assert found(session(), again, path) == done
    assert again.tasks == []


def test_more_trials_go_to_the_last_fold_and_what_was_chosen_before_stays(tmp_path):
    path = tmp_path / "trials"
    before = found(session(12), Hands(), path)
    after = found(session(15), Hands(), path)
    assert after[0] == before[0]
    assert after[1].tried[:6] == before[1].tried
    assert len(after[1].tried) == 9


def test_another_session_is_not_gone_on_with(tmp_path):
    found(session(), Hands(), tmp_path / "trials")
    with pytest.raises(UsageError, match="its seed is 5, here it is 6"):
        found(session(seed=6), Hands(), tmp_path / "trials")


def test_two_at_once_on_one_file_are_refused(tmp_path):
    with (
        kept(tmp_path / "trials"),
        pytest.raises(UsageError, match="another session is at work"),
        kept(tmp_path / "trials"),
    ):
        pass


@pytest.mark.parametrize("content", ["hello\n", '{"a": 1}\n'])
def test_a_file_of_something_else_is_refused_and_left(tmp_path, content):
    path = tmp_path / "trials"
    path.write_text(content)
    with pytest.raises(UsageError, match="no file of kept trials"), kept(path):
        pass
    assert path.read_text() == content


def test_stretches_that_allow_no_policy_are_told():
    space = named(WRITTEN, ["cpu_fill=90%..99%"])
    asked = Session(WRITTEN, space, 1, 4, 1, 2, 0.001, {})
    with pytest.raises(UsageError, match="were no policy"):
        found(asked, Hands())


def test_winners_are_judged_only_on_what_came_later():
    hands, done = Hands(), found(session(), Hands())
    scores = judged(session(), done, hands)
    assert len(scores) == 2
    assert [(task.stretch.first, task.stretch.last) for task in hands.tasks] == [(1, 2), (1, 2), (2, 3), (2, 3)]
