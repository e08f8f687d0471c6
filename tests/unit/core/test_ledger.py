"""The memory behind cooldowns, budgets and downtime budgets: what is added, what is forgotten, and when."""

from autoscaler.core.ledger import DAY_S, Grant, Ledger
from autoscaler.core.model import Action


def grant(at, key="X", action=Action.CONSOLIDATE):
    return Grant(at, action, key, (key, f"app-of-{key}"), 1)


def test_grants_are_kept_as_long_as_asked_and_touch_all_their_ids():
    ledger = Ledger().granted((grant(0.0),), 100.0).granted((grant(100.0, "Y"),), 100.0)
    assert [g.key for g in ledger.grants] == ["X", "Y"]
    assert [g.key for g in ledger.granted((grant(100.5, "Z"),), 100.0).grants] == ["Y", "Z"]
    assert ledger.touched == {
        (False, "X"): 0.0,
        (False, "app-of-X"): 0.0,
        (False, "Y"): 100.0,
        (False, "app-of-Y"): 100.0,
    }


def test_scaling_and_moving_are_remembered_apart_and_touches_for_a_day_at_least():
    ledger = Ledger().granted((grant(0.0),), 1.0).granted((grant(DAY_S, "X", Action.SCALE_IN),), 1.0)
    assert ledger.touched[False, "X"] == 0.0
    assert ledger.touched[True, "X"] == DAY_S
    assert (False, "X") not in ledger.granted((grant(DAY_S + 1, "Y"),), 1.0).touched


def test_the_end_of_a_plan_touches_again():
    ledger = Ledger().granted((grant(0.0),), 1.0).touching(False, ("X", "Y"), 60.0)
    assert (ledger.touched[False, "X"], ledger.touched[False, "Y"]) == (60.0, 60.0)
    assert ledger.grants == (grant(0.0),)


def test_no_grants_change_nothing():
    assert Ledger().granted((), 1.0) == Ledger()


def test_pauses_of_24_hours_add_up_and_older_ones_are_forgotten_of_everybody():
    ledger = Ledger().paused("a", 0.0, 0.2).paused("a", 100.0, 0.3).paused("b", 100.0, 9.0)
    assert ledger.downtime_s("a", 100.0) == 0.5
    assert ledger.downtime_s("a", DAY_S) == 0.3
    assert ledger.downtime_s("nobody", 0.0) == 0
    later = ledger.paused("c", DAY_S + 100.0, 0.1)
    assert later.pauses.keys() == {"c"}
