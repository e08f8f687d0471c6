"""What may be tuned follows from how it is declared; what is named is found or refused with the nearest name."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler import policylang, registry
from autoscaler.config import ready_policies
from autoscaler.errors import UsageError
from autoscaler.policylang.numbers import read_numbers
from autoscaler.tune.space import named, numbers_by_name, usual

TYPES = registry.strategy_types()


def written(policy):
    return read_numbers(ready_policies()[policy].read_text(encoding="utf-8"), policy, TYPES)


class TestNumbers:
    @pytest.mark.parametrize("policy", ready_policies())
    def test_a_policy_written_with_its_own_numbers_is_itself(self, policy):
        whole = written(policy)
        text = whole.text({n.steps: n.value for n in whole.numbers if n.value is not None})
        before = policylang.read_policy_text(ready_policies()[policy].read_text(encoding="utf-8"), policy, TYPES)
        after = policylang.read_policy_text(text, policy, TYPES)
        assert replace(after, digest="") == replace(before, digest="")

    def test_a_number_goes_where_it_was_read_from_and_the_rest_stays(self):
        whole = written("balanced")
        (fill,) = named(whole, ["cpu_fill=50%..60%"])
        text = whole.text({fill.steps: 0.55}, "mine")
        policy = policylang.read_policy_text(text, "mine", TYPES)
        assert policy.name == "mine"
        assert policy.strategy.parameters["placement"]["cpu_fill_fraction"] == 0.55
        assert policy.limits == policylang.read_policy_text(whole.text({}), "x", TYPES).limits

    def test_a_small_price_is_read_back(self):
        whole = written("optimal")
        (price,) = named(whole, ["moving_price_per_gib=0.00001..0.1"])
        policy = policylang.read_policy_text(whole.text({price.steps: 0.0000123}), "x", TYPES)
        assert policy.strategy.parameters["moving_price_per_gib"] == 0.0000123


class TestUsual:
    def test_of_optimal_choices_are_tuned_and_neither_prices_nor_efforts_nor_limits(self):
        assert [d.name.removeprefix("strategy.") for d in usual(written("optimal"))] == [
            "hurdle", "least_saving", "cpu_headroom", "cpu_ceiling", "memory_headroom", "cpu_overcommit", "replica_fill",
            "hidden", "samples", "lead_samples",
        ]  # fmt: skip

    @pytest.mark.parametrize("policy", ready_policies())
    def test_every_stretch_lies_within_what_is_declared_and_holds_what_the_policy_says(self, policy):
        for number, dimension in numbers_by_name(written(policy)):
            if dimension is not None:
                assert dimension.low <= number.value <= dimension.high
                for end in (dimension.low, dimension.high):
                    assert number.quantity.read(_as_written(number, end)) == pytest.approx(end)

    def test_nobody_looks_at_more_samples_than_the_window_has(self):
        (samples,) = named(written("optimal"), ["strategy.samples"])
        assert samples.high == 30


def _as_written(number, value):
    shown = number.quantity.unit.show(value)
    return float(shown) if number.quantity.unit.pattern is None else shown


class TestNamed:
    @pytest.mark.parametrize(
        ("search", "told"),
        [
            ("hurdl=1..2", "nearest: hurdle"),
            ("samples", "which one"),
            ("cpu_target=0.5", "write cpu_target=LOW..HIGH"),
            ("cpu_target=60%..50%", "nothing between"),
            ("cpu_target=60%..400%", "out of range"),
            ("limits.worth_it.k=a..b", "not a number"),
            ("limits.downtime_budget", "no place to start from"),
        ],
    )
    def test_mistakes_are_told_with_what_would_be_right(self, search, told):
        policy = "optimal" if "hurdl" in search else "balanced"
        with pytest.raises(UsageError, match=told):
            named(written(policy), [search])

    def test_naming_twice_is_refused(self):
        with pytest.raises(UsageError, match="twice"):
            named(written("balanced"), ["cpu_target", "strategy.replicas.cpu_target=50%..60%"])

    @settings(max_examples=50, deadline=None)
    @given(st.floats(0, 1))
    def test_what_is_tried_is_what_is_written_and_within_its_stretch(self, share):
        whole = written("optimal")
        for dimension in (*usual(whole), *named(whole, ["limits.cooldown.saving", "limits.worth_it.k"])):
            tried = dimension.rounded(dimension.low + share * (dimension.high - dimension.low))
            assert dimension.low <= tried <= dimension.high
            again = read_numbers(whole.text({dimension.steps: tried}), "x", TYPES)
            assert next(n.value for n in again.numbers if n.steps == dimension.steps) == pytest.approx(tried, rel=1e-12)
