"""The report's data: thinned out, complete, and safe to put into a page."""

import json
import re

from autoscaler.replay.baselines import BOUND
from autoscaler.replay.outcome import Happening, Outcome, Timeline
from autoscaler.replay.report import MARKS, PLACES, POINTS, page, shown


def timeline(ticks=10, happenings=()):
    return Timeline(
        at=[60.0 * tick for tick in range(ticks)],
        demand_cores=[float(tick) for tick in range(ticks)],
        capacity_cores=[8.0] * ticks,
        unserved_cores=[0.0] * ticks,
        price_per_hour=[0.5] * ticks,
        sizes=[{"large": 1}] * ticks,
        placement=[{f"cloud-{n}": n for n in range(PLACES + 5)}] * ticks,
        happenings=list(happenings),
    )


def test_a_page_needs_nothing_from_the_network_and_holds_all_outcomes():
    outcomes = [Outcome("a</script><b>", "t", 1, {"cost": 1.0}, timeline()), Outcome(BOUND, "t", 1, {"cost": 0.5})]
    text = page(outcomes)
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "https://" not in text
    content = re.search(r'<script id="outcomes" type="application/json">(.*?)</script>', text, re.DOTALL).group(1)
    read = json.loads(content)
    assert [(one["policy"], one["kind"]) for one in read] == [("a</script><b>", "run"), (BOUND, "bound")]


def test_long_curves_are_thinned_and_keep_their_mean():
    line = shown(Outcome("a", "t", 1, {}, timeline(POINTS * 3)))["line"]
    assert len(line["at"]) == POINTS
    assert line["demand_cores"][0] == 1.0  # mean of 0, 1, 2


def test_alike_actions_close_in_time_are_one_mark_that_counts():
    happenings = [Happening(float(second), "scale_out", "web", f"because {second}") for second in range(100)]
    line = shown(Outcome("a", "t", 1, {}, timeline(10, happenings)))["line"]
    marks = line["happenings"]
    assert len(marks) < MARKS
    assert sum(1 + mark["more"] for mark in marks) == 100
    assert marks[0]["reason"] == "because 0"


def test_placement_shows_the_first_cloud_vms_and_says_how_many_more():
    line = shown(Outcome("a", "t", 1, {}, timeline()))["line"]
    assert len(line["places"]) == PLACES
    assert line["more_places"] == 5


def test_an_outcome_without_a_time_line_has_no_curves():
    assert shown(Outcome("a", "t", 1, {"cost": 1.0}))["line"] is None
