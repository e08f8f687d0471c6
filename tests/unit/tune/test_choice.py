"""Who wins: the cheapest that serves enough, of those alike the one that moves least."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.tune.choice import ALIKE_FRACTION, Tried, unbeaten, winner


def tried(*figures):
    return [Tried(number, {}, *three) for number, three in enumerate(figures)]


def test_the_cheapest_that_serves_enough():
    assert winner(tried((10, 0.0, 5), (8, 0.0009, 9), (6, 0.002, 1)), 0.001).number == 1


def test_of_those_alike_in_cost_the_one_that_moves_least():
    assert winner(tried((10.00, 0.0, 50), (10.05, 0.0, 5), (10.2, 0.0, 0)), 0.001).number == 1


def test_where_none_serves_enough_the_one_that_serves_most():
    assert winner(tried((10, 0.01, 5), (20, 0.005, 9)), 0.001).number == 1


SCORES = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=12).map(lambda all_: tried(*all_))


@given(SCORES)
def test_the_unbeaten_beat_everybody_else_and_not_each_other(all_):
    front = unbeaten(all_)
    assert front
    for one in all_:
        better = [o for o in front if all(a <= b for a, b in zip(o.figures, one.figures, strict=True))]
        assert (one in front) == (better == [one])


@given(SCORES, st.integers(0, 5))
def test_nobody_who_serves_enough_is_much_cheaper_than_the_winner(all_, most):
    best = winner(all_, most)
    for one in all_:
        if one.unserved_fraction <= most:
            assert best.unserved_fraction <= most
            assert best.cost <= one.cost * (1 + ALIKE_FRACTION) or one.cost == best.cost == 0
