"""Forecasts in `optimal` and `target_tracking`: what they add, what they may never do, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import cluster, service, snapshot

from autoscaler.core.past import STEP_S, Past
from autoscaler.core.proposals import ScaleIn, ScaleOut
from autoscaler.core.snapshot import Snapshot
from autoscaler.forecast import rolling
from autoscaler.strategies.demand import of_services
from autoscaler.strategies.foresight import FEW, expected, foresee
from autoscaler.strategies.optimal import Optimal
from autoscaler.strategies.target_tracking import TargetTracking

DAY = 288
MONDAY = 1767571200.0
LEAD_S = 120.0


def wave(days: float) -> np.ndarray:
    """Half a core by night, eight in a peak of an hour that begins at noon within ten minutes."""
    at = np.arange(round(days * DAY)) % DAY
    rise, fall = np.clip((at - DAY / 2) / 2, 0, 1), np.clip((at - DAY / 2 - 12) / 2, 0, 1)
    return 0.5 + 7.5 * (rise - fall)


def scene(past_cores: np.ndarray, replicas: int, used: float, **bounds: int) -> Snapshot:
    """Replicas of `web` on one cloud VM that use `used` cores together now, and what the service asked for until now."""
    names = [f"web-{n}" for n in range(replicas)]
    web = service("web", **(bounds or {"at_most": 20}))
    seen = cluster({"c1": names}, services=[web], sizes={"c1": "large"}, cpu=dict.fromkeys(names, used / replicas))
    ordinal = round(MONDAY / STEP_S) + len(past_cores)
    past = Past(("web",), past_cores[None, :], np.array([used]), ordinal)
    return replace(snapshot(seen), past=past)


NOON = 8.5  # days: until the peak of the ninth day


def wished(strategy, at: Snapshot, kind: type) -> list:
    return [p for p in strategy.propose(at) if isinstance(p, kind)]


@pytest.mark.parametrize("strategy", [Optimal(), Optimal(forecast="seasonal_naive"), TargetTracking(forecast="auto")])
def test_replicas_come_before_the_peak_that_comes_every_day(strategy) -> None:
    before = scene(wave(NOON), 2, 0.5)
    out = wished(strategy, before, ScaleOut)
    assert len(out) >= 4
    assert "forecast by" in out[0].reason
    assert not wished(replace(strategy, forecast="none"), before, ScaleOut)


@pytest.mark.parametrize("strategy", [Optimal(), TargetTracking(forecast="auto")])
def test_nobody_is_stopped_on_a_forecast_alone(strategy) -> None:
    """Every day the peak is over by now; today it is not."""
    over = wave(8.5 + 16 / DAY)
    over[-20:] = np.maximum(over[-20:], wave(8.5 + 16 / DAY)[-20:])
    assert not wished(strategy, scene(over, 10, 8.0), ScaleIn)
    assert wished(strategy, scene(over, 10, 0.5), ScaleIn)


@pytest.mark.parametrize("strategy", [Optimal(), TargetTracking(forecast="auto")])
def test_nobody_is_stopped_who_would_be_missed_in_a_quarter_of_an_hour(strategy) -> None:
    before = scene(wave(NOON), 10, 0.5)
    assert not wished(strategy, before, ScaleIn)
    assert wished(replace(strategy, forecast="none"), before, ScaleIn)


def test_what_is_reckoned_with_is_never_below_what_is_measured() -> None:
    luck = np.random.default_rng(3)
    for used in (0.1, 2.0, 9.0):
        at = scene(np.maximum(wave(8.3) + luck.normal(0, 0.2, round(8.3 * DAY)), 0), 10, used)
        measured = of_services(at, 20, 2)
        reckoned = expected(measured, foresee(at, "auto", 0.9, LEAD_S), 1.28)
        assert (reckoned.now >= measured.seen).all()
        assert (reckoned.high >= measured.most).all()


@pytest.mark.parametrize(
    ("past", "reason"),
    [
        (wave(0.5), "measured only: 144 values are known, two days have 576"),
        (np.concatenate([wave(8), np.full(100, np.nan)]), "measured only: 35% of the last day is missing (limit 25%)"),
        (np.concatenate([wave(8), np.full(12, 20.0)]), "measured only: the load has changed:"),
    ],
    ids=["cold start", "missing", "another world"],
)
def test_where_there_is_no_forecast_the_proposal_says_why_and_goes_by_what_was_measured(past, reason) -> None:
    short = scene(past, 2, 1.9)
    told = wished(Optimal(forecast="seasonal_naive"), short, ScaleOut)
    plain = wished(Optimal(forecast="none"), short, ScaleOut)
    assert told
    assert reason in told[0].reason
    assert [p.evidence for p in told] == [p.evidence for p in plain]


def test_auto_is_whoever_was_best_on_the_day_before() -> None:
    (reason,) = foresee(scene(wave(8.2), 2, 0.5), "auto", 0.9, LEAD_S).reasons
    assert reason.startswith("forecast by seasonal_naive: least pinball loss of")
    steps = np.repeat(np.random.default_rng(1).uniform(1, 9, 100), 30)[: round(8.2 * DAY)]  # no day is like another
    (reason,) = foresee(scene(steps, 2, 0.5), "auto", 0.9, LEAD_S).reasons
    assert "seasonal" not in reason


def test_the_same_past_gets_the_same_forecast_after_a_restart() -> None:
    at = scene(wave(8.4) + np.random.default_rng(2).uniform(0, 0.5, round(8.4 * DAY)), 2, 0.5)
    first = foresee(at, "auto", 0.9, LEAD_S)
    for remembered in (rolling._tell, rolling._fitted, rolling._judged):
        remembered.cache_clear()
    again = foresee(at, "auto", 0.9, LEAD_S)
    assert (first.high.tolist(), first.reasons) == (again.high.tolist(), again.reasons)


def test_a_forecast_does_not_depend_on_what_is_no_longer_learned_from() -> None:
    """Two weeks are learned from: what was before may be forgotten or not."""
    load = wave(16.3) + np.random.default_rng(2).uniform(0, 0.5, round(16.3 * DAY))
    begins_at = MONDAY
    long, short = (rolling.Series(load[cut:], STEP_S, begins_at + cut * STEP_S) for cut in (0, DAY))
    told = [rolling.tell(series, rolling.QUICK, 5, (0.5, 0.9), "web") for series in (long, short)]
    assert told[0].cores is not None
    assert told[1].cores is not None
    assert told[0].cores.tolist() == told[1].cores.tolist()


def test_trees_are_tried_for_a_few_services_only() -> None:
    assert FEW < 40
    load = wave(6.0) + np.random.default_rng(2).uniform(0, 0.5, 6 * DAY)
    at = scene(load, 2, 0.5)
    many = Past(tuple(f"s{n}" for n in range(FEW + 1)), np.tile(load, (FEW + 1, 1)), np.zeros(FEW + 1), at.past.ordinal)
    crowd = replace(at, past=many, inventory=replace(at.inventory, services=tuple(service(s) for s in many.services)))
    assert all("boosting" not in reason for reason in foresee(crowd, "auto", 0.9, LEAD_S).reasons)
    assert foresee(at, "boosting", 0.9, LEAD_S).reasons == ("forecast by boosting: named by the policy",)
